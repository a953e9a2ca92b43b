"""Partitions of hosts that are reached by SSH: the way to them stays open."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.faults.network.wires import heal, partition
from tests.faults.worker import records
from tests.netns import TestCluster, netns_cluster, ssh_cluster

pytestmark = pytest.mark.cluster


def test_ssh_is_exempt(tmp_path: Path) -> None:
    """Given two SSH hosts cut off from each other. Expect no way to Redis between them, SSH
    between them as before, and all again after heal, with no rule left."""
    with ssh_cluster(tmp_path, hosts=2) as cluster:
        cluster.fab("provision")
        answer = partition(cluster, isolate="h2")
        assert answer["reachability"] == {
            "h1": {"h1": True, "h2": False},
            "h2": {"h1": False, "h2": True},
        }
        assert "no answer" in reached(cluster, "h1", "198.18.0.2:6379")
        assert reached(cluster, "h1", "198.18.0.2:22") == ""
        assert reached(cluster, "h2", "198.18.0.1:22") == ""
        assert heal(cluster)["reachable"]
        assert reached(cluster, "h1", "198.18.0.2:6379") == ""
        assert not records(cluster)
        # Slow, but not for SSH; the kernel's rules and queues are as new after it.
        partition(cluster, isolate="h2", rate="1mbit")
        classes = cluster.connector("h1").run("iptables -w -t mangle -S").stdout
        assert "--sport 22 -j RETURN" in classes
        heal(cluster)
        left = cluster.connector("h1").run("iptables -w -S; iptables -w -t mangle -S").stdout
        assert "FL-" not in left
        # If a fault cannot be ended while its host is destroyed. Expect that said, and the record
        # kept, without which nobody could end it.
        partition(cluster, isolate="h2", seconds="3600")
        (record,) = (cluster.folder("h2") / "run/faults").glob("*.json")
        whole = record.read_text()
        record.write_text(json.dumps(json.loads(whole) | {"heal": "echo no way >&2; exit 3"}))
        answer = cluster.json("destroy", "--yes", code=1)["hosts"]
        assert answer["h1"]["failed"] == 0
        said = rf"could not end its faults: .*no way.*{record}"
        assert re.search(said, answer["h2"]["error"], re.DOTALL)
        assert record.exists()
        assert "FL-" in cluster.connector("h2").run("iptables -w -S").stdout
        # If the cause is gone, expect the next destroy to leave nothing.
        record.write_text(whole)
        cluster.fab("destroy", "--yes")
        assert "FL-" not in cluster.connector("h2").run("iptables -w -S").stdout
        assert not cluster.folder("h2").parent.exists()


def test_destroy_ends_partitions(tmp_path: Path) -> None:
    """Given a partition of an hour. Expect destroy to work, and nothing of it to be left."""
    with netns_cluster(tmp_path, hosts=2) as cluster:
        cluster.fab("provision")
        partition(cluster, isolate="h1", seconds="3600")
        cluster.fab("destroy", "--yes")
        assert not cluster.folder("h1").exists()


def reached(cluster: TestCluster, host: str, target: str) -> str:
    """ "" when the host can connect there, or why not."""
    python = f"{cluster.folder(host)}/env/bin/python"
    command = shlex.join([python, "-I", "-m", "faults.host.probe", "1", target])
    found: dict[str, str] = json.loads(cluster.connector(host).run(command).stdout)
    return found[target]
