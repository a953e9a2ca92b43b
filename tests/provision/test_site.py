"""What a whole site asks for, where single operations cannot tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provision.facts import Facts
from provision.inventory import load
from provision.secrets import Secrets
from provision.site import Site

NETNS = """
[cluster]
name = "lab"
connection = "{connection}"
[[hosts]]
name = "h1"
address = "198.18.0.1"
"""


@pytest.mark.parametrize(("connection", "unit"), [("ssh", True), ("netns", False)])
def test_only_a_machine_of_its_own_gets_a_systemd_unit(
    tmp_path: Path, connection: str, unit: bool
) -> None:
    """Given a machine run by systemd, and a host that is that machine or a namespace on it.

    If its files and programs are planned. Expect a unit only where the machine is the host:
    namespaces share their machine, and a unit would start outside of them.
    """
    (tmp_path / "known_hosts").touch()
    known = f'known_hosts = "{tmp_path}/known_hosts"\n' if connection == "ssh" else ""
    text = NETNS.format(connection=connection).replace("[[hosts]]", f"{known}[[hosts]]", 1)
    (tmp_path / "inventory.toml").write_text(text)
    inventory = load(tmp_path / "inventory.toml")
    site = Site(inventory, inventory.hosts[0], Secrets({}, lambda *_: b""))
    facts = replace(Facts(), systemd=True)
    assert (site._unit(facts) is not None) == unit
