"""A job that names its workers is counted by these, and by others only if theirs is gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually
from wc.core import config
from wc.worker.daemon import Worker


def test_only_the_workers_that_a_job_names_count_it(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(nodes=2)
    expected = write_files(tmp_path / "in", 4, 500)
    # Given a job for the first worker of h1, and workers of h1 and h2
    pattern = f"{tmp_path}/in/*.txt"
    named = cluster.submit("named", pattern, split_bytes=1000, workers=("h1/worker-0",))
    settings = [config.load(node.config_path) for node in cluster.nodes]
    chosen, second = Worker(settings[0], 0), Worker(settings[0], 1)
    other = Worker(settings[1], 0)
    with closing(chosen), closing(second), closing(other):
        assert [worker.serves(named) for worker in (chosen, second, other)] == [True, False, False]
        # Expect it to do the job
        cluster.start()
        cluster.wait("named")
        assert cluster.counts("named") == [expected] * 2
        # If its host is gone, expect the other host to help
        cluster.node("h1").kill_redis()
        eventually(lambda: other.serves(named), "h2's worker serves the job")


def test_hosts_of_an_earlier_version_get_no_field_that_they_do_not_need(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(nodes=1)
    write_files(tmp_path / "in", 1, 10)
    assert '"workers"' not in cluster.submit("all", f"{tmp_path}/in/*.txt").to_json()
