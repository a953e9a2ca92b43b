"""The orders for one partition: the same id on all hosts it concerns, and a deadline on each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict

from faults import remote
from faults.host.engine import Order
from faults.network.partition import Damage, concerned
from faults.registry import harm
from provision.connect.hosts import Hosts
from provision.inventory.model import Host, Inventory

KIND = "partition"


def orders(inventory: Inventory, harmed: Damage, seconds: float) -> dict[str, Order]:
    """The order to each host that is concerned, by its name."""
    tag = secrets.token_hex(3)
    name = f"{KIND}-{tag}"
    orders = {}
    for host in concerned(inventory, harmed):
        commands = asdict(harm(KIND, inventory, host, harmed, name, tag))
        # The target is the fault itself, so another partition adds to it and replaces nothing.
        orders[host.name] = Order(id=name, fault=KIND, target=name, seconds=seconds, **commands)
    return orders


def begin(hosts: Hosts, orders: Mapping[str, Order]) -> dict[str, Exception]:
    """Begin it on all at once; the errors of the hosts where it did not begin."""

    def work(host: Host) -> None:
        remote.begin(hosts.connector(host), hosts.inventory.folder(host), orders[host.name])

    return _errors(hosts, work, orders)


def end(hosts: Hosts, orders: Mapping[str, Order]) -> dict[str, Exception]:
    """End it on all at once, also where it has ended; the errors of the hosts where it may stay."""

    def work(host: Host) -> None:
        folder = hosts.inventory.folder(host)
        remote.end(hosts.connector(host), folder, [orders[host.name].id])

    return _errors(hosts, work, orders)


def _errors(
    hosts: Hosts, work: Callable[[Host], None], names: Iterable[str]
) -> dict[str, Exception]:
    results = hosts.each(work, map(hosts.inventory.host, names))
    return {name: result for name, result in results.items() if result is not None}
