"""Read repair between real Redis servers: only what is missing, and nothing twice."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster
from tests.wc.support.lockstep import Lockstep
from tests.wc.support.twin import NAMES, dots
from wc.backends.api import Claim, Commit
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.result_store import RedisResultStore
from wc.backends.redis.work_queue import RedisWorkQueue
from wc.counts import kernel
from wc.crdt.model import Dot
from wc.replication.repair_jobs import repair_jobs

ORIGIN = "h1"


def delta(seq: int) -> bytes:
    return kernel.count([f"word common w{seq}".encode() * (1 + seq % 3)], "whitespace")


@pytest.fixture
def job(cluster: Cluster) -> str:
    """A job known to all replicas, of 500 splits of h1, none of them applied yet."""
    cluster.submit("mend", _one_file(cluster), origins=("h1", "h2", "h3"))
    spec = cluster.spec("mend")
    for node in cluster.nodes:
        RedisJobRegistry(cluster.client(node.name)).open(spec)
    return "mend"


def _one_file(cluster: Cluster) -> str:
    path = cluster.folder / "any.txt"
    path.write_text("any")
    return str(path)


def commit(cluster: Cluster, job: str, replica: str, seqs: range) -> None:
    commits = [Commit(seq, "", delta(seq)) for seq in seqs]
    RedisResultStore(cluster.client(replica), job).commit(ORIGIN, commits, settle=False)


def digests(cluster: Cluster, job: str) -> set[str]:
    stores = [RedisResultStore(cluster.client(node.name), job) for node in cluster.nodes]
    return {store.status(["h1", "h2", "h3"]).digest for store in stores}


def test_only_what_is_missing_is_copied(cluster: Cluster, job: str) -> None:
    # Given replicas that have different, overlapping dots
    commit(cluster, job, "h1", range(1, 301))
    commit(cluster, job, "h2", range(201, 501))
    commit(cluster, job, "h3", range(100, 110))
    replicas = cluster.replicas()
    # If they are compared only; expect to be told, and nothing to change
    told = repair_jobs(replicas, job, check=True)
    assert (told["missing"], told["copied"], told["converged"]) == (200 + 200 + 490, 0, False)
    assert len(digests(cluster, job)) == 3
    # If they are repaired
    done = repair_jobs(replicas, job)
    # Expect each missing delta to be fetched once, and copied to those that lacked it
    assert done["copied"] == 890
    assert done["bytes"] == sum(len(delta(seq)) for seq in range(1, 501))
    assert done["converged"]
    assert len(digests(cluster, job)) == 1
    # If it is done again; expect nothing to do
    again = repair_jobs(replicas, job)
    assert (again["missing"], again["copied"], again["bytes"]) == (0, 0, 0)
    replicas.close()


def test_chosen_sources_and_targets(cluster: Cluster, job: str) -> None:
    # Given dots on two replicas
    commit(cluster, job, "h1", range(1, 11))
    commit(cluster, job, "h2", range(11, 21))
    replicas = cluster.replicas()
    # If only h3 is filled, and only from h1
    done = repair_jobs(replicas, job, sources=["h1"], targets=["h3"])
    # Expect that, and nothing else
    assert done["copied"] == 10
    have = [
        RedisResultStore(cluster.client(n.name), job).dot_sets(ORIGIN).applied
        for n in cluster.nodes
    ]
    assert have[0] == have[2] != have[1]
    replicas.close()


def test_two_repairs_at_once_copy_what_one_would(cluster: Cluster, job: str) -> None:
    # Given a replica that lacks everything
    commit(cluster, job, "h1", range(1, 501))
    found: list[dict[str, Any]] = []

    def mend() -> None:
        replicas = cluster.replicas()
        found.append(repair_jobs(replicas, job))
        replicas.close()

    # If two repairs run at once
    threads = [threading.Thread(target=mend) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Expect every dot to have been new once on each of the two other replicas
    assert sum(report["copied"] for report in found) == 1000
    assert len(digests(cluster, job)) == 1


def test_an_unreachable_replica_is_named(cluster: Cluster, job: str) -> None:
    # Given a replica that is down
    commit(cluster, job, "h1", range(1, 11))
    cluster.node("h3").kill_redis()
    replicas = cluster.replicas()
    # If the others are repaired
    done = repair_jobs(replicas, job)
    # Expect those to be equal, and the missing one to be named
    assert done["copied"] == 10
    assert done["unreachable"] == ["h3"]
    assert not done["converged"]
    replicas.close()


def test_a_wiped_replica_is_filled_by_the_command(cluster: Cluster, tmp_path: Path) -> None:
    # Given a finished job, and a replica that loses it while no driver runs
    write_files(tmp_path / "in", 6, 2000)
    cluster.start()
    cluster.submit("gone", f"{tmp_path}/in/*.txt", split_bytes=50_000)
    cluster.wait("gone")
    for node in cluster.nodes:
        for process in node.processes:
            process.kill()
            process.wait()
    client = cluster.client("h2")
    client.flushall()
    # If it is repaired by the command
    done = cluster.ask(cluster.node("h2"), "repair")
    # Expect all dots of all origins back
    assert done["converged"]
    assert done["jobs"] == ["gone"]
    assert client.exists(JobKeys("gone").applied("h3"))


def die(queue: RedisWorkQueue, claim: Claim) -> None:
    assert queue.fail(claim, {"error": "no"}, final=True, max_deliveries=10)


def test_splits_put_back_are_not_given_up_again(servers: Cluster, tmp_path: Path) -> None:
    # Given two dead splits, of which a replica has a checkpoint
    job = Lockstep(servers, tmp_path)
    job.bury(NAMES, dots("h1", [1, 2]), late=False)
    job.twins["h3"].checkpoint()
    # If they are put back, and then come up again: a repair had read of them before, and the
    # replica is back with its checkpoint
    job.revive(NAMES, "h1")
    job.bury(["h2"], dots("h1", [1]), late=True)
    job.twins["h3"].crash()
    job.check()
    # Expect repair to put them back there as well
    job.repair("h1")
    assert not any(twin.store.dead() for twin in job.twins.values())
    # If one is given up again; expect all to learn of it
    job.give_up([], Dot("h1", 1), die)
    job.repair("h3")
    assert [list(twin.store.dead()) for twin in job.twins.values()] == [["h1/1"]] * 3
    job.close()
