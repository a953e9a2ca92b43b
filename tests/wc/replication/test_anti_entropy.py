"""The background repair on real Redis servers: no driver, no worker, only the loops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster, Node, eventually
from wc.backends.redis import keys
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.result_store import RedisResultStore
from wc.counts import delta
from wc.jobs.spec import JobSpec
from wc.replication.compaction import compact
from wc.replication.delta_archive import Archive
from wc.replication.merged_view import View

JOB, ORIGINS, DOTS = "quiet", ("h1", "h2", "h3"), 300
Make = Callable[..., Cluster]


def content(seq: int) -> dict[str, int]:
    return {"the": seq, f"w{seq % 7}": 1, f"only-{seq}": 2}


def packed(seq: int) -> bytes:
    return delta.pack(content(seq))


ALL_BYTES = sum(len(packed(seq)) for seq in range(1, DOTS + 1))


def total(seqs: range = range(1, DOTS + 1)) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for seq in seqs:
        counts.update(content(seq))
    return dict(counts)


def know(cluster: Cluster, *names: str) -> None:
    for name in names:
        RedisJobRegistry(cluster.client(name)).open(
            JobSpec(JOB, "/x", "whitespace", "strict", 1, 1, ORIGINS, True, 1.0)
        )


def store(cluster: Cluster, name: str) -> RedisResultStore:
    return RedisResultStore(cluster.client(name), JOB)


def apply(cluster: Cluster, seqs: range, *names: str, origin: str = "h1") -> None:
    for name in names:
        store(cluster, name).apply(origin, [(seq, packed(seq)) for seq in seqs])


def value(cluster: Cluster, name: str) -> dict[str, int]:
    view = View(ORIGINS)
    view.refresh(store(cluster, name))
    return dict(view.tally.items())


def digest(cluster: Cluster, name: str) -> str:
    try:
        return store(cluster, name).status(ORIGINS).digest
    except Exception:  # down, or without its function library: it has nothing
        return f"none on {name}"


def same(cluster: Cluster, *names: str) -> bool:
    return len({digest(cluster, name) for name in names or ORIGINS}) == 1


def told(cluster: Cluster, name: str) -> dict[str, int]:
    """What status shows of the loop; all 0 before it has told of anything."""
    text = cluster.client(name).hget(keys.REPAIR, name)
    return Counter(json.loads(text)) if text else Counter()


def left(cluster: Cluster, name: str) -> dict[str, int] | None:
    """What the loop has told at the moment when it had left something for later."""
    found = told(cluster, name)
    return found if found["dropped"] else None


def begin(cluster: Cluster, *names: str) -> list[subprocess.Popen[bytes]]:
    return [
        cluster.spawn(cluster.node(name), "replication.anti_entropy") for name in names or ORIGINS
    ]


def end(process: subprocess.Popen[bytes], seconds: float = 60) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(seconds)


@pytest.fixture
def quick(make_cluster: Make) -> Cluster:
    """A cluster whose loops look often, and are not limited in what these tests move."""
    return make_cluster(repair_interval_seconds=0.2, repair_bytes_per_second=8 << 20)


def test_a_replica_that_lost_everything_is_filled_by_its_loop(quick: Cluster) -> None:
    # Given a job on all replicas, and loops that find nothing to do
    know(quick, *ORIGINS)
    apply(quick, range(1, DOTS + 1), *ORIGINS)
    apply(quick, range(1, 11), *ORIGINS, origin="h2")
    store(quick, "h1").seal("h1", 0, DOTS, 0)
    loops = begin(quick)
    for name in ORIGINS:
        eventually(lambda name=name: told(quick, name)["rounds"], f"{name} tells of a round")
        assert told(quick, name)["missing"] == 0
    # If one is killed and starts empty, even without the function library
    quick.node("h2").kill_redis()
    quick.node("h2").start_redis()
    # Expect its own loop to fill it, dots, job and totals, and the others to do nothing
    eventually(lambda: told(quick, "h2")["copied"] == DOTS + 10, "h2 is filled")
    eventually(lambda: same(quick), "the replicas agree")
    assert value(quick, "h2") == value(quick, "h1")
    assert [spec.name for spec in RedisJobRegistry(quick.client("h2")).jobs()] == [JOB]
    found = told(quick, "h2")
    assert (found["missing"], found["dropped"]) == (DOTS + 10, 0)
    eventually(
        lambda: store(quick, "h2").status(ORIGINS).origins["h1"].total == DOTS, "the total comes"
    )
    assert told(quick, "h1")["copied"] == told(quick, "h3")["copied"] == 0
    # Expect few lines in its log, whatever happened, and a timely end
    assert [end(loop) for loop in loops] == [0, 0, 0]
    assert "310 dots are missing here" in quick.node("h2").log()
    assert len(quick.node("h2").log().splitlines()) < 12, quick.node("h2").log()


def test_what_exceeds_the_rate_is_left_and_comes_later(make_cluster: Make) -> None:
    # Given a replica without anything, and a rate at which all takes a few seconds
    cluster = make_cluster(repair_interval_seconds=30, repair_bytes_per_second=ALL_BYTES // 4)
    know(cluster, "h1", "h2")
    apply(cluster, range(1, DOTS + 1), "h1", "h2")
    # If its loop begins
    begin(cluster, "h3")
    # Expect that it leaves some, and counts them
    found = eventually(lambda: left(cluster, "h3"), "something is left for later")
    assert 0 < found["copied"] < DOTS
    # Expect it not to wait for the interval to go on, and all to be there in the end
    eventually(lambda: told(cluster, "h3")["copied"] == DOTS, "all is copied")
    assert value(cluster, "h3") == total()
    found = told(cluster, "h3")
    assert found["rounds"] > 2
    assert found["bytes"] == ALL_BYTES
    assert found["last"]["dropped"] == 0


def test_a_delta_larger_than_the_rate_gets_through(make_cluster: Make) -> None:
    # Given deltas that are each larger than what the rate gives in one burst
    cluster = make_cluster(repair_interval_seconds=0.1, repair_bytes_per_second=40)
    assert min(len(packed(seq)) for seq in (1, 2, 3)) > 40
    know(cluster, "h1", "h3")
    apply(cluster, range(1, 4), "h1")
    # If the loop begins; expect them to come one by one
    begin(cluster, "h3")
    eventually(lambda: value(cluster, "h3") == total(range(1, 4)), "all three come")
    assert told(cluster, "h3")["rounds"] > 2


def test_a_base_that_has_to_wait_is_taken_later(make_cluster: Make, tmp_path: Path) -> None:
    # Given two replicas that folded their deltas into bases while there were no others, and a
    # third that is new; a rate that the first base uses up
    cluster = make_cluster(repair_interval_seconds=30, repair_bytes_per_second=2000)
    know(cluster, *ORIGINS)
    for origin in ("h1", "h2"):
        apply(cluster, range(1, DOTS + 1), *ORIGINS, origin=origin)
    replicas = cluster.replicas()
    for name in ("h1", "h2"):
        (tmp_path / name).mkdir()
        own, archive = replicas.by_name[name], Archive(tmp_path / name)
        assert compact(replicas, own, JOB, ORIGINS, archive) == 2 * DOTS
    replicas.close()
    assert len(store(cluster, "h1").base("h1")[1] or b"") > 2000
    cluster.client("h3").flushdb()
    # If its loop begins; expect one base to be left once, and both to be there in the end
    begin(cluster, "h3")
    found = eventually(lambda: left(cluster, "h3"), "a base is left for later")
    assert found["dropped"] == DOTS
    assert found["copied"] in (DOTS, 2 * DOTS)  # as the second comes, a round later
    eventually(lambda: same(cluster), "the replicas agree")
    assert value(cluster, "h3") == value(cluster, "h1")


def test_two_loops_for_one_replica_copy_nothing_wrong(quick: Cluster) -> None:
    # Given a replica without anything, peers that have each a part, and two loops that fill it
    know(quick, *ORIGINS)
    apply(quick, range(1, 200), "h1")
    apply(quick, range(150, DOTS + 1), "h2")
    # If all loops run, h3's twice
    begin(quick, *ORIGINS, "h3")
    # Expect each dot once, on each replica
    eventually(lambda: same(quick), "the replicas agree")
    assert [value(quick, name) for name in ORIGINS] == [total()] * 3


def test_loops_fill_while_others_commit(quick: Cluster) -> None:
    # Given loops, and replicas that each get other dots, a few at a time
    know(quick, *ORIGINS)
    begin(quick)
    for first in range(1, DOTS + 1, 10):
        apply(quick, range(first, first + 10), ORIGINS[first // 10 % 3])
    # Expect every replica to end with all of them, each once
    eventually(lambda: same(quick), "the replicas agree")
    assert [value(quick, name) for name in ORIGINS] == [total()] * 3


@pytest.fixture
def hung(quick: Cluster) -> Iterator[Node]:
    """h2, whose Redis is stopped: it accepts connections and answers nothing."""
    node = quick.node("h2")
    assert node.server is not None
    os.kill(node.server.pid, signal.SIGSTOP)
    yield node
    os.kill(node.server.pid, signal.SIGCONT)


def test_a_peer_that_hangs_does_not_stop_the_loop(quick: Cluster, hung: Node) -> None:
    # Given a peer that hangs, and another that has what the own replica lacks
    know(quick, "h1", "h3")
    apply(quick, range(1, 101), "h1")
    # If the loop runs; expect it to copy from the one that answers
    (loop,) = begin(quick, "h3")
    eventually(lambda: told(quick, "h3")["copied"] == 100, "h3 is filled by h1")
    # Expect it to go on meanwhile, with what comes then, and to say once what is wrong
    apply(quick, range(101, DOTS + 1), "h1")
    eventually(lambda: told(quick, "h3")["copied"] == DOTS, "h3 gets what came since")
    assert quick.node("h3").log().count("WARNING replica h2: ") == 1
    # If it is told to stop; expect it to do so
    assert end(loop) == 0


def test_a_stop_does_not_wait_for_a_call_that_hangs(quick: Cluster) -> None:
    # Given a loop that is about to ask a peer that hangs
    know(quick, "h3")
    (loop,) = begin(quick, "h3")
    eventually(lambda: told(quick, "h3")["rounds"], "h3 tells of a round")
    server = quick.node("h2").server
    assert server is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        # If it is told to stop; expect its end before a supervisor would lose patience
        assert end(loop, 9) == 0
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_the_own_replica_may_come_and_go(quick: Cluster) -> None:
    # Given a loop whose own Redis is down from the start
    know(quick, "h1", "h2")
    apply(quick, range(1, DOTS + 1), "h1", "h2")
    quick.node("h3").kill_redis()
    (loop,) = begin(quick, "h3")
    eventually(lambda: "WARNING replica h3: " in quick.node("h3").log(), "the loop says so")
    # If it comes, empty and without functions; expect it to be filled, and so again
    for _ in range(2):
        quick.node("h3").start_redis()
        eventually(lambda: same(quick), "the replicas agree")
        assert value(quick, "h3") == total()
        quick.node("h3").kill_redis()
    assert end(loop) == 0


def test_nothing_is_written_while_nothing_is_missing(quick: Cluster) -> None:
    # Given replicas that agree, and loops that have told of their first round
    know(quick, *ORIGINS)
    apply(quick, range(1, 11), *ORIGINS)
    begin(quick)
    for name in ORIGINS:
        eventually(lambda name=name: told(quick, name)["rounds"], f"{name} tells of a round")

    def info(field: str, section: str) -> int:
        return int(quick.client("h1").info(section)[field])

    # If many rounds pass; expect no write that would make Redis save itself
    before = info("rdb_changes_since_last_save", "persistence")
    calls = info("total_commands_processed", "stats")
    eventually(
        lambda: info("total_commands_processed", "stats") > calls + 60, "some rounds have passed"
    )
    assert info("rdb_changes_since_last_save", "persistence") == before


def test_turned_off_or_without_a_replica_it_says_so(make_cluster: Make) -> None:
    # Given a host whose loop is turned off
    cluster = make_cluster(repair_interval_seconds=0)
    # If it is started all the same; expect exit code 2 and the reason
    (loop,) = begin(cluster, "h1")
    assert loop.wait(60) == 2
    assert "turned off" in cluster.node("h1").log()
