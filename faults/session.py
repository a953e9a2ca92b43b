"""Breaking several targets of a cluster at once: hosts in parallel, a host's targets in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from faults.targets import Target
from provision.connect import parallel
from provision.connect.contract import Connector
from provision.connect.factory import connect
from provision.inventory.model import Inventory

T = TypeVar("T")


class Session:
    """Connections to the hosts of the targets. Opened lazily, closed together."""

    def __init__(self, inventory: Inventory, connectors: dict[str, Connector]) -> None:
        self.inventory, self.connectors = inventory, connectors

    def on_hosts(self, names: Iterable[str], work: Callable[[Connector, str], T]) -> dict[str, T]:
        """`work(connector, data folder)` on each host. Raises the first host's exception."""

        def one(name: str) -> T:
            host = self.inventory.host(name)
            return work(self.connectors[name], self.inventory.folder(host))

        found: dict[str, T] = {}
        for name, result in parallel.each(self.connectors, names, one).items():
            if isinstance(result, Exception):
                raise result
            found[name] = result
        return found

    def on_targets(
        self, targets: Iterable[Target], work: Callable[[Connector, Target], T]
    ) -> list[tuple[Target, T | Exception]]:
        """`work` for each target, with its result or what it raised, in the order of hosts."""
        by_host: dict[str, list[Target]] = {}
        for target in targets:
            by_host.setdefault(target.host.name, []).append(target)

        def attempt(connector: Connector, target: Target) -> T | Exception:
            try:
                return work(connector, target)
            except Exception as error:
                return error

        def one(name: str) -> list[tuple[Target, T | Exception]]:
            connector = self.connectors[name]
            return [(target, attempt(connector, target)) for target in by_host[name]]

        found: list[tuple[Target, T | Exception]] = []
        for name, result in parallel.each(self.connectors, by_host, one).items():
            if isinstance(result, Exception):
                found += [(target, result) for target in by_host[name]]
            else:
                found += result
        return found


@contextmanager
def session(inventory: Inventory) -> Iterator[Session]:
    with ExitStack() as stack:
        yield Session(
            inventory,
            {host.name: stack.enter_context(connect(inventory, host)) for host in inventory.hosts},
        )
