"""`fab provision`: from the inventory to hosts that run, all of them at once.

The controller's part is small: namespaces where hosts are namespaces, then facts of every host,
agreement on the secrets, and each host's plan in its own thread. Killed at any point, it is simply
run again: what is done is found done.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from provision.connect import parallel
from provision.connect.contract import Connector
from provision.connect.factory import connect
from provision.connect.netns import NAMESPACES
from provision.exit_codes import CommandError
from provision.host import namespaces
from provision.host.fact_commands import host_facts
from provision.host.facts import Facts, gather
from provision.host.plan import Options, Plan
from provision.host.redis_users import USERS
from provision.host.secrets import Secrets, majority_hashes
from provision.host.site import Site, managed_paths
from provision.inventory.model import Host, Inventory
from provision.report import Reporter, Tally

#: For how long the name of a run that may be ending is tried.
ENDING_SECONDS = 2.0


class ProvisionError(CommandError):
    """Nothing can be done on any host; the message says why."""

    kind = "provision"


def provision(
    inventory: Inventory, hosts: list[Host], options: Options, reporter: Reporter
) -> dict[str, Tally]:
    """Bring `hosts` to the wanted state; counts by host. Raises ProvisionError, ConnectionFailed.

    A host's own failures are in its tally and do not stop the others.
    """
    tallies = {host.name: Tally() for host in hosts}
    with exclusive(inventory.cluster.name), ExitStack() as stack:
        _namespaces(inventory, hosts, options, reporter, tallies)
        connectors = {h.name: stack.enter_context(connect(inventory, h)) for h in inventory.hosts}
        run = _Run(inventory, connectors, options, reporter)
        secrets, facts = run.prepare([host.name for host in hosts], tallies)
        names = [name for name in tallies if name in facts]
        results = parallel.each(
            connectors, names, lambda name: run.host(name, facts[name], secrets, tallies[name])
        )
        for name, result in results.items():
            if isinstance(result, Exception):
                run.failed(name, result, tallies[name])
    return tallies


class _Run:
    """One run over the cluster: who is asked for facts, and what becomes of the answers."""

    def __init__(
        self,
        inventory: Inventory,
        connectors: dict[str, Connector],
        options: Options,
        reporter: Reporter,
    ) -> None:
        self.inventory, self.connectors = inventory, connectors
        self.options, self.reporter = options, reporter

    def facts(self, name: str) -> Facts:
        host = self.inventory.host(name)
        # Before its namespace is there (--check, --limit) a host can still be looked at.
        outside = (
            self.inventory.cluster.connection == "netns"
            and not (NAMESPACES / self.inventory.namespace(host)).exists()
        )
        wanted = host_facts(self.inventory, host, managed_paths(self.inventory, host))
        return gather(self.connectors[name], wanted, outside=outside)

    def prepare(
        self, names: list[str], tallies: dict[str, Tally]
    ) -> tuple[Secrets, dict[str, Facts]]:
        """Facts of the hosts that answer, and the secrets all of them shall share."""
        facts = self._ask(names, tallies)
        held = majority_hashes(self._in_order(facts), self._secret_path)
        others = [host.name for host in self.inventory.hosts if host.name not in names]
        seen = dict(facts)
        if facts and others and len(held) < len(USERS):
            unreached = {other: Tally() for other in others}
            seen |= self._ask(others, unreached)
            held = majority_hashes(self._in_order(seen), self._secret_path)
            silent = [name for name, tally in unreached.items() if tally.failed]
            if silent and len(held) < len(USERS):
                raise ProvisionError(
                    f"the cluster's secrets may be on {', '.join(silent)}, which cannot be"
                    " reached, and new ones would not fit: bring it up, or provision all hosts"
                )
        return Secrets(held, lambda user, digest: self._fetch(seen, user, digest)), facts

    def host(self, name: str, facts: Facts, secrets: Secrets, tally: Tally) -> None:
        site = Site(self.inventory, self.inventory.host(name), secrets)
        plan = Plan(
            self.connectors[name],
            lambda: self.facts(name),
            f"{site.folder}/run/pending",
            self.options,
            self.reporter,
        )
        plan.apply(site.stages, facts, tally)

    def failed(self, name: str, error: Exception, tally: Tally) -> None:
        tally.fail(error)
        self.reporter.event(name, "failed", str(error).removeprefix(f"{name}: "))

    def _ask(self, names: list[str], tallies: dict[str, Tally]) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        for name, answer in parallel.each(self.connectors, names, self.facts).items():
            if isinstance(answer, Exception):
                self.failed(name, answer, tallies[name])
            else:
                found[name] = answer
        return found

    def _secret_path(self, name: str, user: str) -> str:
        return f"{self.inventory.folder(self.inventory.host(name))}/etc/secrets/{user}"

    def _in_order(self, facts: dict[str, Facts]) -> dict[str, Facts]:
        return {host.name: facts[host.name] for host in self.inventory.hosts if host.name in facts}

    def _fetch(self, seen: dict[str, Facts], user: str, digest: str) -> bytes:
        for name, facts in seen.items():
            path = self._secret_path(name, user)
            found = facts.paths.get(path)
            if found is not None and found.sha256 == digest:
                # Another host's connector may be busy in its own thread.
                with connect(self.inventory, self.inventory.host(name)) as connector:
                    return connector.get(path)
        raise ProvisionError(f"no host has the {user} secret any more: run it again")


def _namespaces(
    inventory: Inventory,
    hosts: list[Host],
    options: Options,
    reporter: Reporter,
    tallies: dict[str, Tally],
) -> None:
    if inventory.cluster.connection != "netns":
        return
    changed = namespaces.create(inventory, hosts, check=options.check)
    for name, tally in tallies.items():
        if name in changed:
            tally.changed += 1
            reporter.event(name, "would" if options.check else "changed", "create the namespace")
        else:
            tally.ok += 1


@contextmanager
def exclusive(cluster: str) -> Iterator[None]:
    """One run at a time for each cluster on this machine.

    Holds an abstract socket's name: it goes with the process, however that ends, and is no file
    that would have to be removed. A run that was killed may have left a child that has yet to
    become its program, and holds the name until it does: so the name is tried for a while.
    """
    with socket.socket(socket.AF_UNIX) as holder:
        deadline = time.monotonic() + ENDING_SECONDS
        while not _bound(holder, f"\0faultline/{cluster}"):
            if time.monotonic() > deadline:
                raise ProvisionError(
                    f"another provision or destroy of cluster {cluster} is running: wait for its"
                    " end"
                )
            time.sleep(ENDING_SECONDS / 20)
        yield


def _bound(holder: socket.socket, name: str) -> bool:
    """Whether the socket got the name; not while another has it."""
    try:
        holder.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
