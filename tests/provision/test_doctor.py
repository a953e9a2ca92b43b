"""doctor: findings as JSON, what is left over named with its remedy, nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.doctor.examination import examine
from provision.host import namespaces
from tests.netns import TestCluster, netns_cluster, poll, unique_name, write_inventory

pytestmark = pytest.mark.cluster


def test_doctor_names_leftovers_and_leaves_none(tmp_path: Path) -> None:
    """Given namespaces of another cluster. Expect them found, with the command that removes
    them, and no scratch namespace of doctor's own afterwards."""
    with netns_cluster(tmp_path) as mine, netns_cluster(tmp_path, hosts=1) as other:
        namespaces.create(other.inventory, other.inventory.hosts)
        findings = mine.json("doctor")["findings"]
        assert {"level", "subject", "text", "fix"} == set(findings[0])
        works = {f["subject"] for f in findings if f["level"] == "ok"}
        assert {"root", "veth", "bridge", "iptables in a namespace", "redis-server", "ip"} <= works
        left = [f for f in findings if f"fl-{other.name}-h1" in f["text"]]
        assert len(left) == 1
        assert f"ip netns del fl-{other.name}-h1" in left[0]["fix"]
        assert all(f["fix"] for f in findings if f["level"] != "ok")
    # Another doctor may be at work on this machine: its scratch namespaces go, too.
    poll(lambda: not any("fl-doctor-" in name for name in namespaces.existing()))


def test_doctor_works_for_a_user_who_is_not_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a user without /usr/sbin on the PATH. Expect that root is what is missing, and tools
    found all the same."""
    inventory = write_inventory(
        tmp_path / "inventory.toml",
        {
            "cluster": {"name": unique_name(), "connection": "netns"},
            "hosts": [{"name": "h1", "address": "198.18.0.1"}],
        },
    ).inventory
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    levels = {finding.subject: finding.level for finding in examine(inventory)}
    assert levels["root"] == "problem"
    assert levels["ip"] == levels["iptables"] == levels["redis-server"] == "ok"


def test_doctor_over_ssh_examines_the_hosts(over_ssh: TestCluster) -> None:
    """Expect what each host offers, also what a partition needs of it, and of one that does not
    answer why. Expect a cluster of somebody else to be named."""
    other = over_ssh.folder("h1").parents[1] / f"{over_ssh.name}-other/h9"
    other.mkdir(parents=True)
    try:
        findings = over_ssh.json("doctor")["findings"]
    finally:
        other.rmdir()
        other.parent.rmdir()
    subjects = {f["subject"] for f in findings}
    for host in ("h1", "h2"):
        needed = ("ssh", "python", "redis-server", "disk", "iptables", "cgroups", "htb", "netem")
        assert {f"{host} {subject}" for subject in needed} <= subjects
    assert any(f["subject"] == "h1 leftover" and str(other) in f["text"] for f in findings)
    original = over_ssh.path.read_text()
    try:
        over_ssh.edit(lambda document: document["hosts"][1].update(port=1))
        silent = over_ssh.json("doctor", code=1)["findings"]
    finally:
        over_ssh.path.write_text(original)
    (problem,) = [f for f in silent if f["subject"] == "h2 ssh"]
    assert "port 1" in problem["text"]
    assert any("not asked" in f["text"] for f in silent if f["subject"] == "faults")
