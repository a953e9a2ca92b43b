"""One partition on all the hosts it concerns: the same id everywhere, a deadline on each."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from faults import deadlines
from faults.host.engine import Order
from faults.network.partition import Damage, concerned
from faults.registry import harm
from faults.session import Session
from provision.connect import parallel
from provision.inventory.model import Inventory

KIND = "partition"


def orders(inventory: Inventory, wanted: Damage, seconds: float) -> dict[str, Order]:
    """What each concerned host is asked to do, by its name."""
    tag = secrets.token_hex(3)
    name = f"{KIND}-{tag}"
    found = {}
    for host in concerned(inventory, wanted):
        one = harm(KIND, inventory, host, wanted, name, tag)
        # The target is the fault itself: another one adds to it and replaces nothing.
        found[host.name] = Order(
            name, KIND, name, one.text, seconds, one.before, one.apply, one.heal, one.inherit
        )
    return found


def begin(hosts: Session, wanted: Mapping[str, Order]) -> dict[str, Exception]:
    """Begin it on all at once; the errors of the hosts where it did not begin."""

    def work(name: str) -> None:
        deadlines.begin(hosts.connectors[name], _folder(hosts, name), wanted[name])

    return _errors(parallel.each(hosts.connectors, wanted, work))


def end(hosts: Session, wanted: Mapping[str, Order]) -> dict[str, Exception]:
    """End it on all at once, also where it has ended; the errors of the hosts where it may stay."""

    def work(name: str) -> None:
        deadlines.end(hosts.connectors[name], _folder(hosts, name), [wanted[name].id])

    return _errors(parallel.each(hosts.connectors, wanted, work))


def _folder(hosts: Session, name: str) -> str:
    return hosts.inventory.folder(hosts.inventory.host(name))


def _errors(found: Mapping[str, object]) -> dict[str, Exception]:
    return {name: result for name, result in found.items() if isinstance(result, Exception)}
