"""A cluster for one purpose on this machine: provisioned, used, and always destroyed."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision import provisioning
from provision.destroy import destroying
from provision.exclusive import ProvisionError
from provision.exit_codes import CommandError
from provision.host.plan import Options
from provision.inventory.model import Inventory, load
from provision.report import Reporter, Tally

NAMES = ("h1", "h2", "h3")
ENDING = (signal.SIGINT, signal.SIGTERM)
#: Leases are short, so that one whose worker is cut off soon runs out.
INVENTORY = """
[cluster]
name = "{name}"
connection = "netns"

[workers]
per_host = 1
lease_seconds = 2
"""
HOST = """
[[hosts]]
name = "{name}"
address = "198.18.0.{number}"
"""


@contextmanager
def own_cluster(name: str) -> Iterator[Inventory]:
    """Three hosts as namespaces, one worker each. Raises ProvisionError, ConnectorError,
    InventoryError for a name that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="faultline-cuts-") as folder:
        path = Path(folder) / "inventory.toml"
        hosts = [HOST.format(name=n, number=number) for number, n in enumerate(NAMES, 1)]
        path.write_text(INVENTORY.format(name=name) + "".join(hosts))
        inventory = load(path)
        with _destroy_at_end(inventory):
            with _reporter(inventory) as reporter:
                tallies = provisioning.provision(
                    inventory, list(inventory.hosts), Options(check=False, diff=False), reporter
                )
            _require(tallies)
            yield inventory


@contextmanager
def _destroy_at_end(inventory: Inventory) -> Iterator[None]:
    """Destroys the cluster at the end, ignoring Ctrl-C meanwhile."""
    try:
        yield
    finally:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
        try:
            with _reporter(inventory) as reporter:
                _require(destroying.destroy(inventory, list(inventory.hosts), reporter))
        except CommandError as error:
            sys.stderr.write(f"cluster {inventory.cluster.name} stays: {error}\n")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _reporter(inventory: Inventory) -> Reporter:
    """One that prints nothing: failures are raised."""
    reporter = Reporter([host.name for host in inventory.hosts], to_stderr=True)
    reporter.console.quiet = True
    return reporter


def _require(tallies: dict[str, Tally]) -> None:
    for name, tally in tallies.items():
        if tally.failed:
            raise ProvisionError(f"{name}: {tally.error}")
