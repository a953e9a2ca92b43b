"""`fab logs`: the end of one program's log on one host, or all that follows."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from provision.connect.contract import Connector
from provision.inventory.fields import nearest
from provision.inventory.model import Host, Inventory


class UnknownProgram(Exception):
    """There is no log of that name; the message lists those there are."""


def available(connector: Connector, inventory: Inventory, host: Host) -> list[str]:
    """Programs of a host that have a log, rotated ones left out."""
    folder = shlex.quote(f"{inventory.folder(host)}/log")
    names = connector.run(f"ls {folder} 2>/dev/null", check=False).stdout.split()
    return sorted(name.removesuffix(".log") for name in names if name.endswith(".log"))


def lines(
    connector: Connector, inventory: Inventory, host: Host, program: str, count: int, follow: bool
) -> Generator[str, None, None]:
    """The last `count` lines, then with `follow` every new one until the iterator is closed.

    Raises UnknownProgram.
    """
    names = available(connector, inventory, host)
    if program not in names:
        hint = nearest(program, names) if names else "there are none yet: run `fab provision`"
        raise UnknownProgram(f'no log of "{program}" on {host.name}: {hint}')
    path = shlex.quote(f"{inventory.folder(host)}/log/{program}.log")
    # -F: the log is rotated under us.
    yield from connector.stream(f"tail -n {count} {'-F' if follow else ''} {path} 2>/dev/null")
