"""Work on several hosts of a cluster at once: a connection and a thread for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from provision.connect.contract import Connector
from provision.connect.factory import connect
from provision.inventory.model import Host, Inventory

T = TypeVar("T")


class Hosts:
    """The hosts of a cluster. A context manager: it closes the connections that were opened."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self._connectors = {host.name: connect(inventory, host) for host in inventory.hosts}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, which ends the commands that run through them."""
        for connector in self._connectors.values():
            connector.close()

    def connector(self, host: Host) -> Connector:
        """The way to a host, as root. It is opened at its first use, for one thread at a time."""
        return self._connectors[host.name]

    def each(
        self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None
    ) -> dict[str, T | Exception]:
        """`work(host)` for these hosts, or all: the results, or what was raised, by name in order.

        A host that fails stops no other. Ctrl-C closes all connections and is raised again.
        """
        chosen = list(self.inventory.hosts if hosts is None else hosts)
        results: dict[str, T | Exception] = {}
        with ThreadPoolExecutor(max(1, len(chosen)), thread_name_prefix="host") as pool:
            futures = {host.name: pool.submit(work, host) for host in chosen}
            try:
                for name, future in futures.items():
                    error = future.exception()
                    if error is None:
                        results[name] = future.result()
                    elif isinstance(error, Exception):
                        results[name] = error
                    else:
                        raise error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.close()
                raise
        return results


def answers(results: Mapping[str, T | Exception]) -> dict[str, T]:
    """The results of all hosts. Raises the first exception among them."""
    good: dict[str, T] = {}
    for name, result in results.items():
        if isinstance(result, Exception):
            raise result
        good[name] = result
    return good
