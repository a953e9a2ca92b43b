"""Deleted jobs: gone on all hosts, and brought back by none that was away."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.wc.driver.test_adoption import applied
from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, Node, eventually, kill
from wc.backends.redis import keys
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import Manifest
from wc.jobs.spec import JobSpec, SpecError


def delete(cluster: Cluster, node: Node, *specs: JobSpec) -> None:
    request = {spec.name: spec.origins for spec in specs}
    cluster.ask(node, "delete", stdin=json.dumps(request))


def rests(cluster: Cluster, node: Node, job: str) -> list[object]:
    """What a host still has of a job: keys, entries of the registry, folders."""
    client = cluster.client(node.name)
    found: list[object] = [*client.scan_iter(match=f"{{{job}}}*", count=1000)]
    found += [key for key in (keys.REGISTRY,) if client.hexists(key, job)]
    found += [key for key in (keys.OPEN,) if client.sismember(key, job)]
    return found + [p.name for p in (node.folder / "jobs").glob(f"*{job}*")]


def test_a_host_that_was_away_does_not_bring_a_job_back(cluster: Cluster, tmp_path: Path) -> None:
    expected = write_files(tmp_path / "in", 6, 500)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
        cluster.spawn(node, "worker")
    spec = cluster.submit("gone", f"{tmp_path}/in/*.txt")
    cluster.submit("kept", f"{tmp_path}/in/*.txt")
    cluster.wait("gone")
    cluster.wait("kept")
    # Given a host that is away, with all it has, while the job is deleted on the others
    h1, h2, h3 = cluster.nodes
    for process in h3.processes:
        kill(process)
    h3.processes.clear()
    assert h3.server is not None
    h3.server.send_signal(signal.SIGSTOP)
    for node in (h1, h2):
        delete(cluster, node, spec)
        eventually(lambda n=node: not rests(cluster, n, "gone"), f"gone on {node.name}")
    h3.server.send_signal(signal.SIGCONT)
    assert rests(cluster, h3, "gone")
    # If it comes back, with its driver and its background repair
    cluster.spawn(h3, "driver")
    for node in cluster.nodes:
        cluster.spawn(node, "replication.anti_entropy")
    # Expect it to delete the job there too, and nobody to have it again
    eventually(lambda: not rests(cluster, h3, "gone"), "gone on h3")
    for node in cluster.nodes:
        client = cluster.client(node.name)
        eventually(lambda c=client: c.hlen(keys.REPAIR), "a round of the background repair")
        assert not rests(cluster, node, "gone")
        assert [j["name"] for j in cluster.ask(node, "jobs")["jobs"]] == ["kept"]
        assert cluster.ask(node, "names") == {"jobs": ["kept"], "deleted": ["gone"]}
    assert cluster.counts("kept") == [expected] * 3

    # If a host comes back with nothing, tombstones included; expect the others to tell it
    kill(h2.processes.pop(0))
    h2.kill_redis()
    (h2.folder / "jobs/.deleted").unlink()
    h2.start_redis()
    cluster.load(h2)
    cluster.spawn(h2, "driver")
    eventually(lambda: cluster.client("h2").hexists(keys.DELETED, "gone"), "h2 has the tombstone")
    assert not rests(cluster, h2, "gone")


def test_a_running_job_is_dropped_and_a_late_commit_removed(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job in its middle, whose workers stand still with splits in their hands
    write_files(tmp_path / "in", 60, 5_000)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    spec = cluster.submit("ended", f"{tmp_path}/in/*.txt", split_bytes=100_000)
    cluster.count_slowly()
    workers = [cluster.spawn(node, "worker") for node in cluster.nodes]
    eventually(lambda: applied(cluster, "h1", "ended") > 5, "some splits are applied")
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    # If it is deleted, and they go on
    for node in cluster.nodes:
        delete(cluster, node, spec)
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    # Expect workers and drivers to drop it, to take a new job, and nothing to be left in the end
    expected = write_files(tmp_path / "in2", 3, 100)
    cluster.submit("next", f"{tmp_path}/in2/*.txt")
    cluster.wait("next")
    assert cluster.counts("next") == [expected] * 3
    for node in cluster.nodes:
        eventually(lambda n=node: not rests(cluster, n, "ended"), f"gone on {node.name}")
    assert not any("Traceback" in node.log() for node in cluster.nodes)
    # and the name to be refused: a late write of the old job could count in the new one
    folder = JobFolder(cluster.nodes[0].folder / "jobs" / spec.name)
    with pytest.raises(SpecError, match="names are not used twice"):
        folder.prepare(spec, Manifest(1, []))
