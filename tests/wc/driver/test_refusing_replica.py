"""A replica that answers with errors is away: the job goes on without it, says why, and fills it
again once it takes writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, Node, eventually
from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.keys import JobKeys
from wc.jobs.folder import JobFolder


class Refusal:
    """One way in which h3's Redis refuses writes, and its end; what it says meanwhile."""

    def __init__(self, cluster: Cluster) -> None:
        self.node = cluster.node("h3")
        self.client = cluster.client("h3")


class OutOfMemory(Refusal):
    says = "OOM command not allowed when used memory > 'maxmemory'."

    def begin(self) -> None:
        self.client.config_set("maxmemory", "1mb")

    def end(self) -> None:
        self.client.config_set("maxmemory", "0")


class ReadOnly(Refusal):
    says = "READONLY"

    def begin(self) -> None:
        self.client.replicaof("127.0.0.1", 1)

    def end(self) -> None:
        self.client.replicaof("NO", "ONE")


class CannotSave(Refusal):
    """Its checkpoint cannot be written: a folder has its name."""

    says = "MISCONF Redis is configured to save RDB snapshots, but it"

    def begin(self) -> None:
        self.blocker = self.node.folder / "dump.rdb"
        self.blocker.unlink(missing_ok=True)
        (self.blocker / "full").mkdir(parents=True)
        self.client.config_set("save", "3600 1")
        self.client.bgsave()
        eventually(
            lambda: self.client.info("persistence")["rdb_last_bgsave_status"] == "err",
            "the checkpoint fails",
        )

    def end(self) -> None:
        (self.blocker / "full").rmdir()
        self.blocker.rmdir()
        self.client.save()


def troubles(node: Node, job: str) -> dict[str, str]:
    """What a host's driver says it waits for."""
    found: dict[str, str] = (
        JobFolder(node.folder / "jobs" / job).read_progress()[0].get("troubles", {})
    )
    return found


def test_a_replica_that_takes_no_writes_is_away(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(adopt_after_seconds=1.0)
    expected = write_files(tmp_path / "in", 6, 500)
    cluster.start()
    node = cluster.node("h3")
    for kind in (OutOfMemory, ReadOnly, CannotSave):
        job = kind.__name__
        # Given a replica that refuses all writes, and answers all questions
        refusal = kind(cluster)
        refusal.begin()
        # If there is a job; expect it to end on the others, and h3 to say what it waits for
        cluster.submit(job, f"{tmp_path}/in/*.txt", split_bytes=20_000)
        for other in cluster.nodes[:2]:
            outcome = eventually(
                lambda o=other, j=job: cluster.outcome(o, j), f"{other.name} ends {job}"
            )
            assert (outcome["complete"], outcome["away"]) == (True, ["h3"]), kind
        assert refusal.says in troubles(node, job)["replica h3"]
        state = cluster.ask(node, "state")
        assert state["reachable"]
        assert refusal.says in state["refuses"]
        # If it takes writes again; expect it to be filled
        refusal.end()
        cluster.wait(job)
        assert cluster.counts(job) == [expected] * 3
        assert cluster.ask(node, "state")["refuses"] == ""
        # ... by processes that lived, and said it once
        assert all(process.poll() is None for n in cluster.nodes for process in n.processes)
        for path in node.folder.glob("*.log"):
            lines = [line for line in path.read_text().splitlines() if refusal.says in line]
            assert len(lines) == len({line.partition(" WARNING ")[2] for line in lines}), path


def test_a_call_that_is_refused_is_said_and_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    # Given a replica that takes writes, and on which one key of a job is of the wrong type
    expected = write_files(tmp_path / "in", 6, 100)
    key = JobKeys("wrong").files
    cluster.client("h3").set(key, "no hash")
    with pytest.raises(Rejected, match="WRONGTYPE"):
        cluster.replicas().by_name["h3"].job("wrong").status(["h1"])
    cluster.start()
    cluster.submit("wrong", f"{tmp_path}/in/*.txt")
    # Expect every driver to live and to say so
    for node in cluster.nodes:
        folder = JobFolder(node.folder / "jobs/wrong")
        eventually(
            lambda f=folder: (
                "WRONGTYPE" in f.read_progress()[0].get("troubles", {}).get("replica h3", "")
            ),
            f"{node.name} says what it waits for",
        )
    assert all(process.poll() is None for n in cluster.nodes for process in n.processes)
    # If it is mended; expect the job to end
    cluster.client("h3").delete(key)
    cluster.wait("wrong")
    assert cluster.counts("wrong") == [expected] * 3
    assert not [path for n in cluster.nodes for path in (n.folder / "jobs").glob("*/wait.*")]


def test_a_worker_that_waits_for_a_quorum_says_so_on_its_host(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a job that wants every split on all replicas, one of which has no memory
    cluster = make_cluster(adopt_after_seconds=60.0)
    expected = write_files(tmp_path / "in", 6, 100)
    refusal = OutOfMemory(cluster)
    refusal.begin()
    cluster.start()
    cluster.submit("quorum", f"{tmp_path}/in/*.txt", write_quorum=3)
    # Expect the drivers of the others to say what their workers wait for
    for node in cluster.nodes[:2]:
        why = eventually(
            lambda n=node: troubles(n, "quorum").get(f"{n.name}/worker-0"), "the worker waits"
        )
        assert "1 of 3 replicas acknowledged 1 split of" in why
        assert f"replica h3: {refusal.says}" in why
    # If the third takes writes; expect the job to end
    refusal.end()
    cluster.wait("quorum")
    assert cluster.counts("quorum") == [expected] * 3


def test_one_replica_that_refuses_keeps_no_answer_of_the_others_back(servers: Cluster) -> None:
    replicas = servers.replicas()
    # Given a seal that one replica refuses, as it has another total
    servers.replicas().by_name["h2"].job("sealed").seal("h1", 0, 5, 0)
    # Expect the answers of the others, and the refusal in words
    answers = replicas.ask_all(lambda replica: replica.job("sealed").seal("h1", 0, 4, 0))
    assert sorted(answers) == ["h1", "h3"]
    assert "SEALED h1 is sealed at 5 splits, not 4" in replicas.troubles()["h2"]
    assert issubclass(Rejected, Unavailable)
