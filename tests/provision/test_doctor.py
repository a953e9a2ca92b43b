"""doctor: findings as JSON, what is left over named with its remedy, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from provision.host import namespaces
from tests.netns import netns_cluster, poll

pytestmark = pytest.mark.cluster


def test_doctor_names_leftovers_and_leaves_none(tmp_path: Path) -> None:
    """Given namespaces of another cluster. Expect them found, with the command that removes
    them, and no scratch namespace of doctor's own afterwards."""
    with netns_cluster(tmp_path) as mine, netns_cluster(tmp_path, hosts=1) as other:
        namespaces.create(other.inventory, other.inventory.hosts)
        findings = mine.json("doctor")["findings"]
        assert {"level", "subject", "text", "fix"} == set(findings[0])
        works = {f["subject"] for f in findings if f["level"] == "ok"}
        assert {"root", "veth", "bridge", "iptables in a namespace", "redis-server"} <= works
        left = [f for f in findings if f"fl-{other.name}-h1" in f["text"]]
        assert len(left) == 1
        assert f"ip netns del fl-{other.name}-h1" in left[0]["fix"]
        assert all(f["fix"] for f in findings if f["level"] != "ok")
    # Another doctor may be at work on this machine: its scratch namespaces go, too.
    poll(lambda: not any("fl-doctor-" in name for name in namespaces.existing()))
