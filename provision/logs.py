"""`fab logs`: the last lines of one program's log on one host, and with `follow` the new ones."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from provision.connect.contract import Connector
from provision.exit_codes import UsageError
from provision.inventory.fields import nearest
from provision.inventory.model import Host, Inventory


def available(connector: Connector, inventory: Inventory, host: Host) -> list[str]:
    """The programs of a host that have a log."""
    folder = shlex.quote(f"{inventory.folder(host)}/log")
    names = connector.run(f"ls {folder} 2>/dev/null", check=False).stdout.split()
    return sorted(name.removesuffix(".log") for name in names if name.endswith(".log"))


def lines(
    connector: Connector, inventory: Inventory, host: Host, program: str, count: int, follow: bool
) -> Generator[str, None, None]:
    """The last `count` lines, then with `follow` every new one until the iterator is closed.

    Raises UsageError for a program without a log; the message lists those that have one.
    """
    names = available(connector, inventory, host)
    if program not in names:
        hint = nearest(program, names) if names else "there are none yet: run `fab provision`"
        raise UsageError(f'no log of "{program}" on {host.name}: {hint}')
    path = shlex.quote(f"{inventory.folder(host)}/log/{program}.log")
    # -F: the log is rotated under us.
    yield from connector.stream(f"tail -n {count} {'-F' if follow else ''} {path} 2>/dev/null")
