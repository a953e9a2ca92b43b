"""Real clusters for tests: unique names, real namespaces, real sshd, everything removed after.

Clusters of one machine may all use the same addresses: each has a network of its own.
"""

from __future__ import annotations

import inspect
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toml

from provision.connect.contract import Connector
from provision.connect.factory import connect
from provision.host import namespaces
from provision.host.layout import program_names
from provision.inventory.model import Inventory, load

CHECKOUT = Path(__file__).resolve().parent.parent
FAB = Path(sys.executable).with_name("fab")
#: Deadlines, not expectations: other work may share the machine, and one that is kept is free.
FAB_SECONDS = 240
SECONDS = 120.0

# Stands in for a route to the hosts: a proxy command that runs inside the switch's namespace.
RELAY = """
import os, socket, sys, threading
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def send():
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := peer.recv(65536):
    os.write(1, data)
"""
SSHD = """
HostKey {keys}/host_{host}
AuthorizedKeysFile {keys}/login.pub .ssh/authorized_keys
PidFile {keys}/{host}.pid
StrictModes no
UsePAM no
PasswordAuthentication no
# bash would otherwise read root's .bashrc at every command
Match User root
    SetEnv SHLVL=1
"""


@dataclass
class TestCluster:
    """A cluster of one test: its inventory, and the `fab` that is run with it."""

    __test__ = False
    path: Path
    checkout: Path = CHECKOUT
    program: tuple[str, ...] = (str(FAB),)

    @property
    def inventory(self) -> Inventory:
        return load(self.path)

    @property
    def name(self) -> str:
        return self.inventory.cluster.name

    def connector(self, host: str) -> Connector:
        return connect(self.inventory, self.inventory.host(host))

    def folder(self, host: str) -> Path:
        return Path(self.inventory.folder(self.inventory.host(host)))

    def fab(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `fab`; the test fails unless it exits with `code`."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.checkout,
            capture_output=True,
            text=True,
            timeout=FAB_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
        return done

    def command(self, *arguments: str) -> list[str]:
        return [*self.program, *arguments, "--inventory", str(self.path)]

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return dict(json.loads(self.fab(*arguments, "--json", code=code).stdout))

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the inventory file."""
        document = toml.loads(self.path.read_text())
        change(document)
        self.path.write_text(toml.dumps(document))

    def programs(self, host: str) -> dict[str, int]:
        """Process ids by program name, as supervisord on the host has them."""
        folder = self.folder(host)
        control = f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf status"
        lines = self.connector(host).run(control, check=False).stdout.splitlines()
        rows = [line.replace(",", "").split() for line in lines]
        return {row[0]: int(row[3]) for row in rows if row[1] == "RUNNING"}

    def all_run(self, host: str) -> bool:
        """Whether every program that the host should have runs."""
        inventory = self.inventory
        return set(self.programs(host)) == set(program_names(inventory, inventory.host(host)))


def require_root() -> None:
    """Skip on a laptop without root; in CI a missing part is a failure."""
    if os.geteuid() == 0 and shutil.which("redis-server"):
        return
    if os.environ.get("CI"):
        pytest.fail("cluster tests need root and redis-server")
    pytest.skip("needs root and redis-server")


def unique_name() -> str:
    return f"t{secrets.token_hex(4)}"


def write_inventory(path: Path, document: dict[str, Any]) -> TestCluster:
    path.write_text(toml.dumps(document))
    return TestCluster(path)


@contextmanager
def netns_cluster(folder: Path, hosts: int = 3, **tables: dict[str, Any]) -> Iterator[TestCluster]:
    """A netns cluster of hosts h1, h2, ...: written down, not provisioned; destroyed after."""
    require_root()
    name = unique_name()
    document: dict[str, Any] = {"cluster": {"name": name, "connection": "netns"}, **tables}
    document["hosts"] = [{"name": f"h{n}", "address": f"198.18.0.{n}"} for n in range(1, hosts + 1)]
    cluster = write_inventory(folder / f"{name}.toml", document)
    try:
        yield cluster
    finally:
        cluster.fab("destroy", "--yes")


@contextmanager
def ssh_cluster(folder: Path, hosts: int = 3, **tables: dict[str, Any]) -> Iterator[TestCluster]:
    """An SSH cluster: an sshd in each namespace of a network made for it; not provisioned.

    `folder` gets login, host_h1, ... (keys), known_hosts, and the inventory.
    """
    require_root()
    network = f"n{secrets.token_hex(4)}"
    addresses = {f"h{n}": f"198.18.0.{n}" for n in range(1, hosts + 1)}
    wires = write_inventory(
        folder / "network.toml",
        {
            "cluster": {"name": network, "connection": "netns"},
            "hosts": [{"name": n, "address": a} for n, a in addresses.items()],
        },
    ).inventory
    (folder / "relay.py").write_text(RELAY)
    proxy = (
        f"nsenter --net=/run/netns/{wires.switch_namespace} {sys.executable} -I -S"
        f" {folder}/relay.py %h %p"
    )
    for key in ("login", *(f"host_{name}" for name in addresses)):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True
        )
    known = (f"{a} {(folder / f'host_{n}.pub').read_text()}" for n, a in addresses.items())
    (folder / "known_hosts").write_text("".join(known))
    document = {
        "cluster": {"name": unique_name(), "connection": "ssh", "known_hosts": "known_hosts"},
        **tables,
        "hosts": [
            {"name": n, "address": a, "identity_file": "login", "proxy_command": proxy}
            for n, a in addresses.items()
        ],
    }
    try:
        namespaces.create(wires, wires.hosts)
        for host in wires.hosts:
            start_sshd(wires, host.name, folder)
        cluster = write_inventory(folder / "ssh.toml", document)
        try:
            yield cluster
        finally:
            cluster.fab("destroy", "--yes")
    finally:
        namespaces.remove(wires)


def start_sshd(wires: Inventory, host: str, folder: Path) -> None:
    """An sshd inside a namespace. It needs /run/sshd, and its absolute path to re-execute."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    config = folder / f"sshd_{host}.conf"
    config.write_text(SSHD.format(keys=folder, host=host))
    enter = f"--net=/run/netns/{wires.namespace(wires.host(host))}"
    log = folder / f"sshd_{host}.log"
    subprocess.run(["nsenter", enter, "/usr/sbin/sshd", "-f", config, "-E", log], check=True)
    poll((folder / f"{host}.pid").exists)


def poll(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until the condition holds; the test fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {awaited(condition)}"
        time.sleep(0.05)


def awaited(condition: Callable[[], object]) -> str:
    """The lines in which the condition is written: a lambda's own name tells nothing."""
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return str(condition)
