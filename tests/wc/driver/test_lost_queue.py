"""What workers find their work by is lost while the Redis lives: the driver makes it again."""

from __future__ import annotations

from pathlib import Path

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually
from wc.backends.redis import keys
from wc.backends.redis.keys import GROUP, JobKeys


def test_a_lost_group_a_lost_stream_and_a_lost_registry(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job whose splits are all queued, and of which no worker has any
    expected = write_files(tmp_path / "in", 9, 500)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    job = JobKeys("lost")
    cluster.submit("lost", f"{tmp_path}/in/*.txt", split_bytes=9_000)
    clients = {node.name: cluster.client(node.name) for node in cluster.nodes}
    for name, client in clients.items():
        eventually(lambda c=client, n=name: c.hexists(job.manifest, n), f"{name} is sealed")
    # If one host's queue loses its consumer group, one its stream, and one all specifications
    assert clients["h1"].xgroup_destroy(job.tasks("h1"), GROUP) == 1
    assert clients["h2"].delete(job.tasks("h2")) == 1
    for client in clients.values():
        client.delete(keys.REGISTRY)
    for node in cluster.nodes:
        cluster.spawn(node, "worker")
    # Expect all to be counted all the same, and once
    cluster.wait("lost")
    assert cluster.counts("lost") == [expected] * 3
