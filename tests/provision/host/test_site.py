"""What a whole site asks for, where single operations cannot tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provision.host import templates
from provision.host.actions import Refused
from provision.host.facts import Facts
from provision.host.layout import FORMAT, program_names
from provision.host.redis_users import USERS
from provision.host.secrets import Secrets, missing_secrets
from provision.host.site import Site, check_format
from provision.inventory.model import load
from wc.core import versions

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


@pytest.mark.parametrize(
    ("tables", "runs"),
    [
        ("", True),
        ("[repair]\ninterval_seconds = 0\n", False),
        ('[redis]\nreplication = "single"\n', False),
    ],
    ids=["by default", "turned off", "nothing to compare with"],
)
def test_a_background_repair_where_replicas_can_differ(
    tmp_path: Path, tables: str, runs: bool
) -> None:
    """Given two hosts, and a repair that is on, off, or has only one replica to repair.

    If their files are planned. Expect the program where it is of use, and no trace elsewhere.
    """
    text = NETNS.format(connection="netns") + tables
    text += '[[hosts]]\nname = "h2"\naddress = "198.18.0.2"\n'
    (tmp_path / "inventory.toml").write_text(text)
    inventory = load(tmp_path / "inventory.toml")
    for host in inventory.hosts:
        site = Site(inventory, host, Secrets(dict.fromkeys(USERS, "0"), lambda *_: b""))
        programs = templates.render("programs.conf", site._values(Facts(), "/env")).decode()
        assert ("-m wc.replication.anti_entropy" in programs) == runs
        assert ("repair" in program_names(inventory, host)) == runs
        config: dict[str, Any] = json.loads(site._config())
        assert config["repair_interval_seconds"] == inventory.repair.interval_seconds
        assert config["repair_bytes_per_second"] == 8 << 20


@pytest.mark.parametrize(
    ("connection", "tables", "expected"),
    [
        ("netns", "", 2_952_790_016),
        ("ssh", "", 5_972_688_896),
        ("netns", '[redis]\nmax_memory = "1GiB"\n', 1 << 30),
        ("netns", '[redis]\nreplication = "single"\n', 5_972_688_896),
    ],
)
def test_a_redis_has_a_limit_of_memory(
    tmp_path: Path, connection: str, tables: str, expected: int
) -> None:
    """Given 10 GB of memory, and two hosts that share it or not. Expect that they leave some."""
    (tmp_path / "known_hosts").touch()
    known = f'known_hosts = "{tmp_path}/known_hosts"\n' if connection == "ssh" else ""
    text = NETNS.format(connection=connection).replace("[[hosts]]", f"{known}[[hosts]]", 1)
    text += f'[[hosts]]\nname = "h2"\naddress = "198.18.0.2"\n{tables}'
    (tmp_path / "inventory.toml").write_text(text)
    inventory = load(tmp_path / "inventory.toml")
    site = Site(inventory, inventory.hosts[0], Secrets(dict.fromkeys(USERS, "0"), lambda *_: b""))
    values = site._values(replace(Facts(), memory=10_000_000_000), "/env")
    assert f"maxmemory {expected}\n" in templates.render("redis.conf", values).decode()


def test_a_password_that_a_silent_host_may_have() -> None:
    """Given the facts of the hosts that answer. Expect a user to be new only where a host has an
    ACL file without it: an older version did not know the user."""
    no_host, fresh = [], Facts()
    older = replace(Facts(), redis_users=frozenset(USERS[:-1]))
    whole = replace(Facts(), redis_users=frozenset(USERS))
    assert missing_secrets({}, no_host) == list(USERS)
    assert missing_secrets({}, [fresh]) == list(USERS)
    some = dict.fromkeys(USERS[:-1], "hash")
    assert missing_secrets(some, [fresh, older]) == []
    assert missing_secrets(some, [fresh, older, whole]) == [USERS[-1]]
    assert missing_secrets(some | {USERS[-1]: "hash"}, [whole]) == []


def test_a_host_of_a_later_version_is_not_touched() -> None:
    assert FORMAT == versions.FORMAT
    for known in ({}, {"format": FORMAT, "version": "0.0"}):
        check_format(replace(Facts(), config=known))
    later = {"format": FORMAT + 1, "version": "3.1"}
    with pytest.raises(Refused, match=r"faultline 3.1 provisioned this host, in format 2"):
        check_format(replace(Facts(), config=later))
