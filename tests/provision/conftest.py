"""Clusters shared by the tests of a module; each has a unique name and is destroyed after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.netns import TestCluster, netns_cluster, poll, ssh_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Three provisioned netns hosts."""
    with netns_cluster(tmp_path_factory.mktemp("netns")) as cluster:
        cluster.fab("provision")
        for host in cluster.inventory.hosts:
            poll(lambda name=host.name: cluster.all_run(name))
            # supervisord calls a program running that has not read its configuration yet.
            for program in ("driver", "commands", "repair", "worker-0", "worker-1"):
                log = cluster.folder(host.name) / f"log/{program}.log"
                poll(lambda log=log: ": ready" in log.read_text())
        yield cluster


@pytest.fixture(scope="module")
def over_ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Two hosts behind real sshds, not provisioned. Keys are beside the inventory."""
    with ssh_cluster(tmp_path_factory.mktemp("ssh"), hosts=2) as cluster:
        yield cluster
