"""Two at once: what a process reads in several round trips may change between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster, eventually
from tests.wc.support.lockstep import Lockstep
from tests.wc.support.steps import Died
from tests.wc.support.twin import NAMES, dots
from wc.backends.redis.replica import Replica
from wc.core import config
from wc.crdt.model import Dot
from wc.crdt.status import JobStatus
from wc.driver.job_loop import JobRun
from wc.jobs.folder import JobFolder


def run(first: int, last: int) -> list[Dot]:
    return dots("h1", range(first, last + 1))


@pytest.fixture
def job(servers: Cluster, tmp_path: Path) -> Iterator[Lockstep]:
    made = Lockstep(servers, tmp_path)
    yield made
    made.close()


def test_a_base_that_moves_while_a_view_begins(job: Lockstep) -> None:
    # Given a replica with a base and dots above it
    job.apply(NAMES, run(1, 10))
    job.compact("h1")
    job.apply(NAMES, run(11, 20))
    twin = job.twins["h1"]
    # If a view that has seen how far the base goes is about to read it, when the driver folds
    # the dots above, and dies before it forgets their deltas

    def fold() -> None:
        steps = job.driver("h1").steps
        with steps.interrupted(0, steps.die, "wc_trim"), pytest.raises(Died):
            job.try_compact("h1")
        assert twin.look().memory.through["h1"] == 20

    with twin.steps.interrupted(1, fold) as steps:
        twin.view.refresh(twin.store)
    assert steps.happened
    # Expect no dot to have been added twice
    assert dict(twin.view.tally.items()) == twin.model.counts.value()


def test_a_retraction_that_is_folded_away_while_a_view_subtracts_it(job: Lockstep) -> None:
    # Given a view of a base, and a dot inside it that is retracted
    job.apply(NAMES, run(1, 10))
    job.compact("h1")
    twin = job.twins["h1"]
    twin.watch()
    job.retract(NAMES, run(4, 4), run(4, 4))
    # If the driver folds it away between the view's look at the bitmaps and its look for the
    # counts to subtract
    with twin.steps.interrupted(1, lambda: job.compact("h1")) as steps:
        twin.view.refresh(twin.store)
    assert steps.happened
    # Expect the view to have begun again, not to go on with the dot in it
    assert dict(twin.view.tally.items()) == twin.model.counts.value()


@pytest.mark.parametrize("at", range(2, 8))
def test_a_replica_rolled_back_while_it_is_compacted(job: Lockstep, at: int) -> None:
    # Given a checkpoint with a short base and all dots, and a longer base since
    job.apply(NAMES, run(1, 5))
    job.compact("h1")
    job.apply(["h1"], run(6, 15))
    job.twins["h1"].checkpoint()
    job.apply(NAMES, run(6, 10))
    job.compact("h1")
    job.apply(NAMES, run(11, 15))
    # If the replica goes back while more is folded into what was the longer base
    driver = job.driver("h1")
    with driver.steps.interrupted(at, job.twins["h1"].crash) as steps:
        job.try_compact("h1")
    assert steps.happened
    # Expect the base to contain all that it covers
    job.absorb(job.twins["h2"].model.counts)
    job.converge()


def test_two_hosts_that_give_a_base_to_one_replica(job: Lockstep) -> None:
    # Given bases that go differently far, and a replica that lost everything
    job.apply(NAMES, run(1, 5))
    job.compact("h1")
    job.apply(NAMES, run(6, 10))
    job.compact("h2")
    job.twins["h3"].lose()
    one, two = job.driver("h1"), job.driver("h2")

    # If two hosts give it one each, and the second dies in between
    def second() -> None:
        with two.steps.interrupted(0, two.steps.die, "wc_rebase") as steps:
            job.try_repair("h2", ["h2"], ["h3"])
        assert steps.happened

    with one.steps.interrupted(0, second, "wc_rebase") as steps:
        job.try_repair("h1", ["h1"], ["h3"])
    assert steps.happened
    # Expect the base in place to be the one that was meant
    job.absorb(job.twins["h1"].model.counts, ["h3"])
    job.converge()


def test_the_last_split_is_applied_while_a_driver_looks_whether_all_is_there(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a job of two hosts' files, and one driver that has seen its own splits settled only
    cluster = make_cluster(nodes=2)
    for number in range(2):
        (tmp_path / f"{number}.txt").write_text("a b " * (number + 1))
    spec = cluster.submit("last", f"{tmp_path}/*.txt")
    for node in cluster.nodes:
        cluster.spawn(node, "worker", "--index", "0")
    known = config.load(cluster.node("h1").config_path)
    with closing(cluster.replicas()) as replicas:
        run = JobRun(JobFolder(known.jobs / spec.name), replicas, known)
        read_status, write_progress = run._status, run._write_progress
        seen: list[JobStatus] = []
        happened = []

        def status_of(replica: Replica) -> JobStatus:
            return replica.job(spec.name).status(spec.origins)

        def all_settled() -> bool:
            return all(s.settled for s in replicas.ask_all(status_of).values())

        def remember() -> JobStatus:
            seen.append(read_status())
            return seen[-1]

        def pause(**changes: str) -> None:
            write_progress(**changes)
            # If all else is counted before it asks the replicas whether they agree
            if not happened and seen[-1].origins["h1"].settled:
                happened.append(seen[-1].settled)
                cluster.spawn(cluster.node("h2"), "driver")
                eventually(all_settled, "all is counted")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run, "_status", remember)
            patch.setattr(run, "_write_progress", pause)
            run.run(lambda: False)
        status = status_of(replicas.by_name["h1"])
    assert happened == [False]
    # Expect all of it published, under the name of what there is
    outcome = cluster.outcome(cluster.node("h1"), spec.name)
    assert outcome is not None
    assert outcome["state"] == status.published == status.digest
    assert cluster.counts_of(spec.name, ["h1"]) == [{"a": 3, "b": 3}]
