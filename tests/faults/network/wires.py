"""What tests check: packets one way, connections, and rules inside the hosts of a cluster."""

from __future__ import annotations

import io
import json
import secrets
import select
import socket
from contextlib import redirect_stdout
from typing import Any

from faults.network import commands
from faults.network.options import Shape
from faults.network.reachability import as_bools, matrix
from provision.connect.hosts import Hosts
from tests.end_to_end.support import inside
from tests.netns import TestCluster

PORT = 40404  # of a socket that only a test has, in its own namespace
SILENCE_SECONDS = 0.4
ROUNDS = 2
PACKETS = 3


def one_way(cluster: TestCluster) -> set[tuple[str, str]]:
    """The (sender, receiver) for which packets arrive, seen by datagrams that nobody answers.

    Where some are missing it is tried again: a busy machine may be late with any one of them.
    """
    found: set[tuple[str, str]] = set()
    for _ in range(ROUNDS):
        found |= _arrived(cluster)
        if len(found) == len(cluster.inventory.hosts) * (len(cluster.inventory.hosts) - 1):
            break
    return found


def _arrived(cluster: TestCluster) -> set[tuple[str, str]]:
    inventory = cluster.inventory
    receivers, senders = {}, {}
    tag = secrets.token_bytes(4)
    try:
        for host in inventory.hosts:
            with inside(inventory.namespace(host)):
                receivers[host.name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                receivers[host.name].bind((host.address, PORT))
                senders[host.name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(PACKETS):
            for name, sender in senders.items():
                for host in inventory.hosts:
                    if host.name != name:
                        sender.sendto(tag + name.encode(), (host.address, PORT))
        found = set()
        names = {receiver: name for name, receiver in receivers.items()}
        while ready := select.select(names, [], [], SILENCE_SECONDS)[0]:
            for receiver in ready:
                packet = receiver.recv(64)
                if packet.startswith(tag):
                    found.add((packet[4:].decode(), names[receiver]))
        return found
    finally:
        for opened in (*receivers.values(), *senders.values()):
            opened.close()


def connections(cluster: TestCluster, seconds: float = 0.5) -> dict[str, dict[str, bool]]:
    """{from: {to: bool}}, by the workers' user."""
    with Hosts(cluster.inventory) as hosts:
        rows, failed = matrix(hosts, seconds)
    assert not failed
    return as_bools(rows)


def missing(cluster: TestCluster) -> set[tuple[str, str]]:
    return {(a, b) for a, row in connections(cluster).items() for b, yes in row.items() if not yes}


def rules(cluster: TestCluster, host: str) -> str:
    """All firewall rules and queues of a host, as the kernel lists them."""
    command = "iptables -w -S; iptables -w -t mangle -S; tc qdisc show dev eth0"
    return cluster.connector(host).run(command).stdout


def all_rules(cluster: TestCluster) -> dict[str, str]:
    return {host.name: rules(cluster, host.name) for host in cluster.inventory.hosts}


def partition(cluster: TestCluster, code: int = 0, **shape: Any) -> dict[str, Any]:
    """`fab partition --json`, without the time that a process takes to start. Unless the test says
    otherwise it is in force for longer than any test takes."""
    seconds = shape.pop("seconds", "600")
    with redirect_stdout(io.StringIO()) as out:
        found = commands.partition(
            str(cluster.path), Shape(**shape), seconds=seconds, dry_run=False, as_json=True
        )
    assert found == code, out.getvalue()
    return dict(json.loads(out.getvalue()))


def heal(cluster: TestCluster, only: str | None = None, code: int = 0) -> dict[str, Any]:
    with redirect_stdout(io.StringIO()) as out:
        found = commands.heal(str(cluster.path), only=only, as_json=True)
    assert found == code, out.getvalue()
    return dict(json.loads(out.getvalue()))
