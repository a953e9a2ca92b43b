"""The targets of a fault: which workers, or which Redis or driver.

By default the first of the first host; `--host` and `--worker` name one, `--all` takes every
one that fits them, and `--random` picks one by a seed, which is printed so that the same choice can
be made again.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from faults import options
from provision.connect.contract import Connector
from provision.connect.hosts import Hosts, answers
from provision.exit_codes import UsageError
from provision.host.supervision import supervisorctl
from provision.inventory.model import Host, Inventory
from provision.inventory.units import count

T = TypeVar("T")


@dataclass(frozen=True)
class Selection:
    """The options that choose targets, as typed."""

    host: str | None = None
    worker: str | None = None
    every: bool = False
    at_random: bool = False
    seed: str | None = None


@dataclass(frozen=True)
class Target:
    """One supervised program on one host. `name` is as in status: worker-0, redis."""

    inventory: Inventory
    host: Host
    name: str

    @property
    def folder(self) -> str:
        return self.inventory.folder(self.host)

    @property
    def shown(self) -> str:
        return f"{self.host.name} {self.name}"

    @property
    def group(self) -> str:
        """The worker's control group."""
        return f"{self.inventory.cluster.name}/{self.host.name}/{self.name}"

    @property
    def options(self) -> str:
        """The options that name it on a command line."""
        number = self.name.removeprefix("worker-")
        worker = f" --worker {number}" if number != self.name else ""
        return f"--host {self.host.name}{worker}"

    def tool(self, module: str, *words: str) -> str:
        """The command line of a Python module that provisioning has installed on the host."""
        return shlex.join([f"{self.folder}/env/bin/python", "-I", "-m", module, *words])

    @property
    def pid(self) -> str:
        """A shell command that prints the program's process id, 0 when it does not run."""
        name = f"workers:{self.name}" if self.name.startswith("worker-") else self.name
        return f"{supervisorctl(self.folder)} pid {name}"

    @property
    def process(self) -> str:
        """A shell command that prints `PID START` of the program, or fails and says why."""
        identify = self.tool("faults.host", "identify")
        return (
            # For a stopped program supervisorctl prints 0 and fails.
            f"pid=$({self.pid});"
            f' [ "$pid" != 0 ] || {{ echo "{self.name} does not run: fab status" >&2; exit 1; }};'
            f' [ "$pid" -gt 0 ] 2>/dev/null || {{ echo "$pid" >&2; exit 1; }};'
            f' {identify} "$pid"'
        )


def workers(inventory: Inventory, selection: Selection) -> tuple[list[Target], int | None]:
    """The chosen workers, and the seed if chance chose. Raises UsageError."""
    every = [
        Target(inventory, host, f"worker-{number}")
        for host in _hosts(inventory, selection.host, inventory.hosts)
        for number in _numbers(inventory, selection.worker)
    ]
    return _choose(every, selection)


def programs(
    inventory: Inventory, name: str, selection: Selection
) -> tuple[list[Target], int | None]:
    """The chosen host's Redis or driver, and the seed if chance chose. Raises UsageError."""
    hosts = _hosts(inventory, selection.host, inventory.replicas)
    return _choose([Target(inventory, host, name) for host in hosts], selection)


def _choose(every: list[Target], selection: Selection) -> tuple[list[Target], int | None]:
    """The first, all, or one by chance. Raises UsageError."""
    if selection.every and selection.at_random:
        raise UsageError("--all and --random exclude each other: choose one")
    if selection.seed is not None and not selection.at_random:
        raise UsageError("--seed: allowed with --random only")
    if selection.every:
        return every, None
    if not selection.at_random:
        return every[:1], None
    seed = options.seed(selection.seed)
    return [random.Random(seed).choice(every)], seed  # noqa: S311 - to be repeated, not secret


def on_each(
    hosts: Hosts, targets: Iterable[Target], work: Callable[[Connector, Target], T]
) -> list[tuple[Target, T | Exception]]:
    """`work` for each target, hosts in parallel and a host's targets in turn.

    Each target with its result or what was raised, in the order of hosts.
    """
    by_host: dict[Host, list[Target]] = {}
    for target in targets:
        by_host.setdefault(target.host, []).append(target)

    def attempt(target: Target) -> tuple[Target, T | Exception]:
        try:
            return target, work(hosts.connector(target.host), target)
        except Exception as error:
            return target, error

    found = hosts.each(lambda host: [attempt(target) for target in by_host[host]], by_host)
    return [one for results in answers(found).values() for one in results]


def _hosts(inventory: Inventory, name: str | None, having: Sequence[Host]) -> list[Host]:
    if name is None:
        return list(having)
    try:
        host = inventory.host(name)
    except KeyError as error:
        raise UsageError(f"--host: {error.args[0]}") from None
    if host not in having:
        raise UsageError(f"--host {name}: allowed are {', '.join(h.name for h in having)}")
    return [host]


def _numbers(inventory: Inventory, worker: str | None) -> range:
    workers = inventory.workers.per_host
    if worker is None:
        return range(workers)
    number = count(0, workers - 1).option("--worker", worker.removeprefix("worker-"))
    return range(number, number + 1)
