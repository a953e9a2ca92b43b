"""Workers that die at every named instant, at random, or only seem dead: counts stay exact."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, Node, eventually, kill, stop_with_a_split
from wc.backends.redis.result_store import RedisResultStore
from wc.worker.crash_points import NAMES

SPLIT = 100_000
MOST_KILLS = 30


def arm(node: Node, at: str, worker: int = 0, **order: object) -> Path:
    file = node.folder / "crash" / f"worker-{worker}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"at": at, **order}))
    return file


class Keeper:
    """A small supervisor: starts workers again when they die."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.deaths: Counter[str] = Counter()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: Node) -> None:
        self.workers[node.name] = self.cluster.spawn(node, "worker")

    def tend(self) -> None:
        for node in self.cluster.nodes:
            worker = self.workers[node.name]
            if worker.poll() is not None:
                if worker.returncode == -signal.SIGKILL:
                    self.deaths[node.name] += 1
                self.start(node)


@pytest.fixture
def kept(cluster: Cluster) -> Keeper:
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    return Keeper(cluster)


@pytest.mark.parametrize("point", [name for name in NAMES if name != "before-exit"])
def test_dying_at_a_crash_point(kept: Keeper, cluster: Cluster, tmp_path: Path, point: str) -> None:
    # Given a worker on each host, all told to die at the point, once
    expected = write_files(tmp_path / "in", 6, 4000)
    for node in cluster.nodes:
        arm(node, point)
        kept.start(node)
    # If a job runs, and workers are started again once all have died: before, those that were quick
    # would do the work of the others
    cluster.submit("crash", f"{tmp_path}/in/*.txt", split_bytes=SPLIT)
    first = list(kept.workers.values())
    eventually(lambda: all(worker.poll() is not None for worker in first), "all die")

    def ended() -> bool:
        kept.tend()
        return all(cluster.outcome(node, "crash") for node in cluster.nodes)

    eventually(ended, "the job ends")
    # Expect every one to have died there, and the counts to be exact
    assert kept.deaths == {"h1": 1, "h2": 1, "h3": 1}
    for node in cluster.nodes:
        assert f"crash point {point}\n" in node.log()
        assert not (node.folder / "crash" / "worker-0.json").exists()
    assert cluster.counts("crash") == [expected] * 3


def test_dying_just_before_the_exit(cluster: Cluster, tmp_path: Path) -> None:
    # Given a finished job, and workers that are told to die when asked to stop
    expected = write_files(tmp_path / "in", 3, 500)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
        arm(node, "before-exit")
    workers = [cluster.spawn(node, "worker") for node in cluster.nodes]
    cluster.submit("exit", f"{tmp_path}/in/*.txt")
    cluster.wait("exit")
    # If they are asked
    for worker in workers:
        worker.terminate()
    # Expect a sudden death, and exact counts
    assert [worker.wait(60) for worker in workers] == [-signal.SIGKILL] * 3
    assert cluster.counts("exit") == [expected] * 3


def test_sigusr1_arms_a_running_worker(kept: Keeper, cluster: Cluster) -> None:
    # Given an idle worker without orders
    (node, *_) = cluster.nodes
    kept.start(node)
    eventually(lambda: "ready, " in node.log(), "the worker is ready")
    # If an order is written and the worker signalled; expect it to be read
    arm(node, "after-claim")
    kept.workers["h1"].send_signal(signal.SIGUSR1)
    eventually(lambda: "crash point after-claim is armed" in node.log(), "the worker is armed")
    # A bad order is told, and harms nothing
    arm(node, "nowhere")
    kept.workers["h1"].send_signal(signal.SIGUSR1)
    eventually(lambda: "no crash point 'nowhere'" in node.log(), "the worker complains")
    assert kept.workers["h1"].poll() is None


def test_random_kills_for_a_whole_job(kept: Keeper, cluster: Cluster, tmp_path: Path) -> None:
    # Given a job that takes a while
    expected = write_files(tmp_path / "in", 12, 80_000)
    cluster.count_slowly()
    for node in cluster.nodes:
        kept.start(node)
    cluster.submit("storm", f"{tmp_path}/in/*.txt", split_bytes=400_000)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    next_kill = time.monotonic()

    def ended() -> bool:
        nonlocal next_kill
        # If some worker is killed every 0.3 s, and not for ever: where workers take longer than
        # that to start, none would get anywhere
        if time.monotonic() >= next_kill and kept.deaths.total() < MOST_KILLS:
            kill(kept.workers[chance.choice(cluster.nodes).name])
            next_kill = time.monotonic() + 0.3
        kept.tend()
        return all(cluster.outcome(node, "storm") for node in cluster.nodes)

    eventually(ended, f"the job ends (seed {seed})")
    # Expect kills, and exact counts
    assert kept.deaths.total() >= 3
    assert cluster.counts("storm") == [expected] * 3


def test_a_stopped_worker_that_wakes_changes_nothing(
    kept: Keeper, cluster: Cluster, tmp_path: Path
) -> None:
    # Given a worker that is stopped while it holds a split
    expected = write_files(tmp_path / "in", 3, 60_000)
    cluster.count_slowly()
    cluster.submit("wakes", f"{tmp_path}/in/*.txt", split_bytes=3_000_000, speculate=False)
    kept.start(cluster.nodes[0])
    sleeper = kept.workers["h1"]
    stop_with_a_split(cluster, "wakes", sleeper)
    # If another worker does the job meanwhile
    kept.start(cluster.nodes[1])
    outcomes = cluster.wait("wakes")
    assert sum(outcome["stats"]["takeovers"] for outcome in outcomes) >= 1
    # Expect that its waking up changes nothing
    before = cluster.counts("wakes")
    sleeper.send_signal(signal.SIGCONT)
    eventually(
        lambda: (
            "abandoned" in cluster.nodes[0].log()
            or cluster.ask(cluster.nodes[0], "state")["job"]["stats"]["duplicates"] >= 1
        ),
        "the worker finds that it is late",
    )
    assert before == cluster.counts("wakes") == [expected] * 3
    # and what it says it has wasted to be work, not the time it slept
    wasted = eventually(
        lambda: cluster.ask(cluster.nodes[0], "state")["job"]["stats"]["wasted_ms"], "it says so"
    )
    used = psutil.Process(sleeper.pid).cpu_times()
    assert wasted <= 1000 * (used.user + used.system)


@contextmanager
def crawling(worker: subprocess.Popen[bytes], share: float) -> Iterator[None]:
    """Let a process run for this share of the time only, in slices of 0.2 s."""
    stop = threading.Event()

    def crawl() -> None:
        while not stop.is_set():
            worker.send_signal(signal.SIGSTOP)
            stop.wait(0.2 * (1 - share))
            worker.send_signal(signal.SIGCONT)
            stop.wait(0.2 * share)

    thread = threading.Thread(target=crawl)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        worker.send_signal(signal.SIGCONT)


def unsettled(cluster: Cluster, job: str) -> int:
    """How many splits are not applied yet, as h1's replica knows; all there may be until sealed."""
    origins = (
        RedisResultStore(cluster.client("h1"), job).status([n.name for n in cluster.nodes]).origins
    )
    return sum(o.total - o.applied if o.total >= 0 else 1 << 30 for o in origins.values())


def test_a_straggler_is_outrun(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    # Given a lease longer than the job, so that only a copy can end it before the straggler
    cluster = make_cluster(lease_seconds=600.0)
    cluster.count_slowly()
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    expected = write_files(tmp_path / "in", 6, 100_000)
    cluster.submit("crawl", f"{tmp_path}/in/*.txt", split_bytes=3_000_000)
    # Given a worker that stands still with a split, while the others come and do all the rest
    straggler = cluster.spawn(cluster.nodes[0], "worker")
    stop_with_a_split(cluster, "crawl", straggler)
    for node in cluster.nodes[1:]:
        cluster.spawn(node, "worker")
    eventually(lambda: unsettled(cluster, "crawl") <= 1, "the others run out of work")
    # If it goes on, crawling
    with crawling(straggler, 0.02):
        outcomes = cluster.wait("crawl")
    # Expect them to have run a speculative copy of its split, and its lease to have held
    stats = [outcome["stats"] for outcome in outcomes]
    assert sum(stat["speculations"] for stat in stats) >= 1
    assert sum(stat["takeovers"] for stat in stats) == 0
    assert cluster.counts("crawl") == [expected] * 3


def test_a_live_long_split_is_never_taken_over(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a lease much shorter than the time a split takes, and other idle workers
    lease = 3.0  # of which a heartbeat gets through in time on a busy machine, too
    cluster = make_cluster(lease_seconds=lease)
    cluster.count_slowly()
    expected = write_files(tmp_path / "in", 1, 900_000)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    workers = [cluster.spawn(node, "worker") for node in cluster.nodes]
    # If one worker counts it alone (all are slowed, so that it is long on a fast machine, too)
    cluster.submit("long", f"{tmp_path}/in/*.txt", split_bytes=1 << 30)
    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(crawling(worker, 0.25))
        outcomes = cluster.wait("long")
    # Expect its heartbeat to have kept the lease
    assert sum(outcome["stats"]["takeovers"] for outcome in outcomes) == 0
    assert max(outcome["latency_max"] or 0 for outcome in outcomes) > lease
    assert cluster.counts("long") == [expected] * 3


def test_given_up_splits_are_tried_again_when_told(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job that ended incomplete because of an unreadable file
    expected = write_files(tmp_path / "in", 4, 50)
    cluster.start()
    victim = tmp_path / "in" / "00001.txt"
    hidden = victim.rename(tmp_path / "hidden")
    stat = hidden.stat()
    hidden.rename(victim)
    for node in cluster.nodes:
        for process in node.processes[1:]:
            kill(process)
    cluster.submit("retry", f"{tmp_path}/in/*.txt")
    victim.rename(hidden)
    for node in cluster.nodes:
        cluster.spawn(node, "worker")
    outcomes = cluster.wait("retry")
    assert not any(outcome["complete"] for outcome in outcomes)
    # If the cause is mended and the splits are retried
    hidden.rename(victim)
    assert victim.stat().st_mtime_ns == stat.st_mtime_ns
    revived = [
        cluster.ask(node, "retry-dead", "--job", "retry")["revived"] for node in cluster.nodes
    ]
    assert sum(revived) == 1
    # Expect the job to be complete and exact everywhere

    def complete() -> bool:
        outcomes = [cluster.outcome(node, "retry") for node in cluster.nodes]
        return all(outcome and outcome["complete"] for outcome in outcomes)

    eventually(complete, "the job is complete")
    assert cluster.counts("retry") == [expected] * 3
