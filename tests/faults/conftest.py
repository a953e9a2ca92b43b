"""One small cluster for all tests here: two hosts with two workers each, one Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.worker import Worker, records
from tests.netns import TestCluster, netns_cluster, poll


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    folder = tmp_path_factory.mktemp("faults")
    with netns_cluster(folder, hosts=2, redis={"replication": "single"}) as found:
        found.fab("provision")
        yield found


@pytest.fixture
def cluster(shared_cluster: TestCluster) -> Iterator[TestCluster]:
    """Nothing is broken before a test; what a failed one left is ended for the next."""
    yield shared_cluster
    if records(shared_cluster):
        shared_cluster.fab("restore-worker")
        shared_cluster.fab("resume-worker")
        shared_cluster.fab("crash-worker", "--off")


@pytest.fixture
def workers(cluster: TestCluster) -> list[Worker]:
    """All of them, running: h1's 0 and 1, h2's 0 and 1."""
    found = [Worker(cluster, host, number) for host in ("h1", "h2") for number in (0, 1)]
    poll(lambda: all(worker.pid for worker in found))
    return found
