"""Compaction: a base in place of deltas changes what a replica keeps, and nothing that it says."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually, stop_with_a_split
from wc.backends.api import Commit, ResultStore
from wc.backends.redis import result_store
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.replica_set import ReplicaSet
from wc.backends.redis.result_store import RedisResultStore
from wc.counts import delta
from wc.counts.delta import DeltaError
from wc.jobs.spec import JobSpec
from wc.replication.compaction import compact
from wc.replication.delta_archive import Archive
from wc.replication.merged_view import View, WordsView
from wc.replication.read_repair import Repair

JOB = "fold"
ORIGINS = ("h1", "h2")
NAMES = ("h1", "h2", "h3")


def content(seq: int) -> dict[str, int]:
    return {"the": seq, f"w{seq % 7}": 1, f"only-{seq}": 2}


class Bench:
    """One job on three real replicas, written to and read directly."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.replicas: ReplicaSet = cluster.replicas()
        self.archives = {}
        for node in cluster.nodes:
            (folder / node.name).mkdir()
            self.archives[node.name] = Archive(folder / node.name)

    def store(self, name: str) -> RedisResultStore:
        return RedisResultStore(self.cluster.client(name), JOB)

    def apply(self, seqs: Iterable[int], *names: str, origin: str = "h1") -> None:
        pairs = [(seq, delta.pack(content(seq))) for seq in seqs]
        for name in names or ("h1", "h2", "h3"):
            self.store(name).apply(origin, pairs)

    def retract(self, seqs: Iterable[int], *names: str) -> list[list[int]]:
        pairs = [(seq, delta.pack(content(seq))) for seq in seqs]
        return [self.store(n).retract("h1", pairs) for n in names or ("h1", "h2", "h3")]

    def compact(self, *names: str) -> list[int | None]:
        return [
            compact(self.replicas, self.replicas.by_name[name], JOB, ORIGINS, self.archives[name])
            for name in names or ("h1", "h2", "h3")
        ]

    def repair(self, host: str = "h1") -> int:
        repair = Repair(self.replicas, JOB, ORIGINS, archive=self.archives[host])
        return repair.run().copied

    def value(self, name: str) -> dict[str, int]:
        view = View(ORIGINS)
        view.refresh(self.store(name))
        values = dict(view.tally.items())
        assert self.looked_up(self.store(name), [*values, "absent"]) == values | {"absent": 0}
        return values

    def looked_up(self, store: ResultStore, words: Sequence[str]) -> dict[str, int]:
        view = WordsView(ORIGINS, words)
        view.refresh(store)
        return {word: view.tally.get(word) for word in words}

    def digests(self) -> set[str]:
        return {self.store(n.name).status(ORIGINS).digest for n in self.cluster.nodes}

    def lose(self, name: str) -> None:
        """Everything, as a Redis killed before its first checkpoint."""
        self.cluster.client(name).flushall()


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path) -> Iterator[Bench]:
    spec = JobSpec(JOB, "/x", "whitespace", "strict", 1, 1, ORIGINS, True, 1.0)
    for node in cluster.nodes:
        RedisJobRegistry(cluster.client(node.name)).open(spec)
    made = Bench(cluster, tmp_path)
    yield made
    made.replicas.close()


def total(seqs: Iterable[int], gone: Iterable[int] = ()) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for seq in set(seqs) - set(gone):
        counts.update(content(seq))
    return dict(counts)


def test_a_folded_replica_says_the_same_and_keeps_less(bench: Bench) -> None:
    # Given dots on all replicas, and a view that has seen them one by one
    bench.apply(range(1, 41))
    bench.apply(range(1, 11), origin="h2")
    before = bench.digests()
    view = View(ORIGINS)
    view.refresh(bench.store("h1"))
    expected = Counter(total(range(1, 41))) + Counter(total(range(1, 11)))
    # If the replicas are compacted, and later again with more
    assert bench.compact() == [50, 50, 50]
    assert bench.digests() == before
    assert [bench.value(n.name) for n in bench.cluster.nodes] == [expected] * 3
    bench.apply(range(41, 61))
    assert bench.compact("h1") == [20]
    # Expect the value of all dots, from a new view and from the old one, and no deltas left
    expected += Counter(total(range(41, 61)))
    assert [bench.value(n.name) for n in bench.cluster.nodes] == [expected] * 3
    view.refresh(bench.store("h1"))
    assert dict(view.tally.items()) == expected
    assert bench.cluster.client("h1").hlen(bench.store("h1").keys.deltas("h1")) == 0
    assert bench.compact("h1") == [0]


def test_a_late_large_delta_does_not_stay_beside_the_base(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a base, and deltas that all count as large
    monkeypatch.setattr(result_store, "LARGE_BYTES", 0)
    bench.apply(range(1, 6))
    assert bench.compact() == [5, 5, 5]
    # If a dot inside the base is committed once more, and a new one twice
    replica = bench.store("h1")
    for seq, new in ((3, False), (6, True), (6, False)):
        commit = Commit(seq, "", delta.pack(content(seq)))
        assert replica.commit("h1", [commit], settle=False) == [new]
    # Expect the new one's counts only
    assert bench.cluster.client("h1").hkeys(replica.keys.deltas("h1")) == [b"6"]
    assert bench.value("h1") == total(range(1, 7))


@pytest.mark.parametrize("moves_at", range(1, 8))
def test_words_are_looked_up_in_a_base_that_moves_on(
    bench: Bench, moves_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given bases of two origins, and deltas to come
    bench.apply(range(1, 11), origin="h2")
    bench.apply(range(1, 11))
    bench.compact("h1")
    bench.apply(range(11, 41))
    expected = Counter(total(range(1, 41))) + Counter(total(range(1, 11)))
    # If the base becomes another one between two parts that are read of it
    store = bench.store("h1")
    read, parts = store.base_part, 0

    def base_part(origin: str, start: int, end: int) -> bytes:
        nonlocal parts
        parts += origin == "h1"
        if parts == moves_at:
            bench.compact("h1")
        return read(origin, start, end)

    monkeypatch.setattr(store, "base_part", base_part)
    words = ["the", "w3", "only-3", "only-33", "absent"]
    # Expect the counts of all that was applied
    assert bench.looked_up(store, words) == {word: expected[word] for word in words}
    assert parts >= moves_at


def test_a_damaged_base_is_not_looked_up(bench: Bench) -> None:
    bench.apply(range(1, 11))
    bench.compact("h1")
    bench.cluster.client("h1").setrange(bench.store("h1").keys.base("h1"), 0, b"nonsense")
    with pytest.raises(DeltaError, match="not a delta"):
        bench.looked_up(bench.store("h1"), ["the"])


def test_only_what_all_replicas_have_is_folded(bench: Bench) -> None:
    # Given a dot that one replica lacks, and a replica that does not answer
    bench.apply(range(1, 11))
    bench.apply([11, 12], "h1", "h2")
    # Expect the prefix that all have, and nothing while one is away
    assert bench.compact("h1") == [10]
    bench.cluster.node("h3").kill_redis()
    assert bench.compact("h1") == [None]
    assert bench.value("h1") == total(range(1, 13))


def test_a_replica_that_lost_everything_takes_the_base_whole(bench: Bench) -> None:
    # Given compacted replicas, with dots above their bases
    bench.apply(range(1, 31))
    bench.compact()
    bench.apply(range(31, 36))
    digest = bench.digests()
    # If one loses everything, gets a late commit of an old dot, and is repaired
    bench.lose("h2")
    bench.apply([3, 33], "h2")
    assert bench.repair() == 33
    # Expect it to hold the same again
    assert bench.digests() == digest
    assert bench.value("h2") == total(range(1, 36))
    assert bench.repair() == 0


def test_deltas_beside_a_base_that_came_whole_are_archived(bench: Bench) -> None:
    # Given a replica that has two dots, and takes the base of all from a peer
    bench.apply(range(1, 11))
    bench.compact("h1", "h3")
    bench.lose("h2")
    bench.apply([3, 4], "h2")
    assert bench.repair() == 8
    # If it is compacted; expect it to forget the two, and its archive to have them
    assert bench.compact("h2") == [0]
    assert bench.store("h2").delta_seqs("h1") == []
    known = {seq: delta.pack(content(seq)) for seq in (3, 4)}
    assert bench.archives["h2"].get("h1", range(1, 11)) == known


def test_bases_that_go_differently_far(bench: Bench) -> None:
    # Given replicas whose bases differ, with dots retracted in, between and above them
    bench.apply(range(1, 11))
    bench.compact("h1")
    bench.apply(range(11, 21))
    bench.compact("h2")
    bench.apply(range(21, 26))
    bench.retract([2, 5, 15, 25])
    everywhere = total(range(1, 26), [2, 5, 15, 25])
    assert [bench.value(n.name) for n in bench.cluster.nodes] == [everywhere] * 3
    # If they are compacted again, one after the other
    bench.compact("h3")
    bench.retract([3])
    bench.compact("h1")
    # Expect equal values at every moment, also on one that takes another's base
    everywhere = total(range(1, 26), [2, 3, 5, 15, 25])
    assert [bench.value(n.name) for n in bench.cluster.nodes] == [everywhere] * 3
    for name in ("h1", "h2", "h3"):
        bench.lose(name)
        bench.repair()
        assert bench.value(name) == everywhere
        assert len(bench.digests()) == 1


def test_taking_back_what_is_inside_the_base_needs_its_counts(bench: Bench) -> None:
    # Given compacted replicas
    bench.apply(range(1, 11))
    bench.compact()
    # If a dot is retracted without telling its counts, nothing happens
    assert bench.store("h1").retract("h1", [(4, b"")]) == [-1]
    assert bench.value("h1") == total(range(1, 11))
    # Expect the archive to tell them, to the other replicas by repair
    assert bench.store("h1").retract("h1", bench.archives["h1"].get("h1", [4]).items()) == [1]
    assert bench.repair() == 2
    assert [bench.value(n.name) for n in bench.cluster.nodes] == [total(range(1, 11), [4])] * 3
    assert len(bench.digests()) == 1


def test_a_view_follows_over_a_rebase_and_retractions(bench: Bench) -> None:
    # Given a view in the middle of things
    bench.apply(range(1, 11))
    view = View(ORIGINS)
    view.refresh(bench.store("h1"))
    # If dots are retracted, folded away, and more come
    bench.retract([1, 2])
    view.refresh(bench.store("h1"))
    assert dict(view.tally.items()) == total(range(1, 11), [1, 2])
    bench.retract([3])
    bench.compact()
    bench.apply(range(11, 14))
    # Expect it to have begun again where it had to
    view.refresh(bench.store("h1"))
    assert dict(view.tally.items()) == total(range(1, 14), [1, 2, 3])


def test_folded_in_the_middle_of_a_job(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given drivers that fold after a few splits, and a worker that stands still with one of h1's,
    # which nobody else gets: so the job cannot end
    cluster = make_cluster(compact_bytes=1000, lease_seconds=600.0)
    cluster.count_slowly()
    expected = write_files(tmp_path / "in", 120, 600)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("long", f"{tmp_path}/in/*.txt", batch=1, speculate=False)
    holder = cluster.spawn(cluster.nodes[0], "worker")
    stop_with_a_split(cluster, "long", holder)
    # If others do the rest; expect bases on every replica before the job has come to its end
    for node in cluster.nodes[1:]:
        cluster.spawn(node, "worker")
    for node in cluster.nodes:
        store = RedisResultStore(cluster.client(node.name), "long")
        eventually(lambda n=node: "folded" in n.log(), f"{node.name} folds")
        eventually(
            lambda s=store: any(o.through for o in s.status(NAMES).origins.values()),
            f"a base on {node.name}",
        )
    assert not any(cluster.outcome(node, "long") for node in cluster.nodes)
    # If the job can end; expect exact counts
    holder.send_signal(signal.SIGCONT)
    cluster.wait("long")
    assert cluster.counts("long") == [expected] * 3


def test_a_job_that_cannot_be_read_is_left_alone(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given an ended job of which all replicas have a damaged delta, not folded yet
    cluster = make_cluster(compact_after_seconds=3.0)
    folder = tmp_path / "in"
    counted = write_files(folder, 6, 50)
    cluster.start()
    cluster.submit("broken", f"{folder}/*.txt")
    cluster.wait("broken")
    for node in cluster.nodes:
        client, key = cluster.client(node.name), JobKeys("broken").deltas("h1")
        whole = client.hget(key, "1")
        assert whole
        client.hset(key, "1", whole[:-1] + b"\xff")
    # Expect the drivers to say so when they would fold it, and to go on with others
    for node in cluster.nodes:
        eventually(lambda n=node: "cannot be compacted" in n.log(), "the driver tells")
    cluster.submit("next", f"{folder}/*.txt")
    cluster.wait("next")
    assert cluster.counts("next") == [counted] * 3
