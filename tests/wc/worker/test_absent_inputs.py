"""A host on which the input files are gone leaves them to hosts that have them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import REPOSITORY, Cluster, Node, eventually
from wc.backends.redis.keys import JobKeys


def spawn_without(cluster: Cluster, node: Node, folder: Path) -> None:
    """A worker that sees an empty folder there, as one whose mount is gone."""
    worker = f"{sys.executable} -m wc.worker --config {node.config_path}"
    with (node.folder / "worker-without.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none {folder} && exec {worker}"],
            cwd=REPOSITORY,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    node.processes.append(process)


def test_a_host_without_the_files_buries_nothing(cluster: Cluster, tmp_path: Path) -> None:
    # Given a host whose mount is gone, and whose worker is alone at first
    expected = write_files(tmp_path / "in", 6, 100)
    h1, h2, _ = cluster.nodes
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    spawn_without(cluster, h2, tmp_path / "in")
    cluster.submit("mount", f"{tmp_path}/in/*.txt")
    keys = JobKeys("mount")
    failed = [cluster.client(node.name) for node in cluster.nodes]
    eventually(
        lambda: sum(int(client.hget(keys.stats, "failures") or 0) for client in failed) >= 6,
        "it has tried all splits",
    )
    assert not any(client.exists(keys.dead) for client in failed)
    # If others begin, expect the job complete, and no delivery counted against its splits
    cluster.spawn(h1, "worker")
    assert all(outcome["complete"] for outcome in cluster.wait("mount"))
    assert cluster.counts("mount") == [expected] * 3


def test_a_file_that_no_host_has_is_given_up_once_all_have_tried(
    cluster: Cluster, tmp_path: Path
) -> None:
    write_files(tmp_path / "in", 4, 100)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("deleted", f"{tmp_path}/in/*.txt")
    (tmp_path / "in" / "00002.txt").unlink()
    for node in cluster.nodes:
        cluster.spawn(node, "worker")
    outcomes = cluster.wait("deleted")
    [dead] = outcomes[0]["dead"].values()
    assert "00002.txt" in dead["error"]
    stats = [
        cluster.client(n.name).hget(JobKeys("deleted").stats, "failures") for n in cluster.nodes
    ]
    assert [int(failures) for failures in stats if failures] == [3]
