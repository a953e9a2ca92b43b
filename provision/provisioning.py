"""`fab provision`: from the inventory to hosts that run, all of them at once.

It makes the namespaces (if hosts are namespaces), gathers the facts of every host, agrees on the
secrets, and applies each host's plan in a thread of its own. If it is killed at any point, run it
again: what is done already is not done twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from provision import rosters
from provision.connect.factory import connect
from provision.connect.hosts import Hosts
from provision.connect.netns import NAMESPACES
from provision.exclusive import ProvisionError, exclusive, exclusive_hosts
from provision.host import namespaces
from provision.host.fact_commands import host_facts
from provision.host.facts import Facts, gather
from provision.host.layout import managed_paths
from provision.host.plan import Options, Plan
from provision.host.redis_users import USERS
from provision.host.secrets import Secrets, majority_hashes, missing_secrets
from provision.host.site import Site
from provision.inventory.model import Host, Inventory
from provision.report import Reporter, Tally

T = TypeVar("T")


def provision(
    inventory: Inventory, hosts: list[Host], options: Options, reporter: Reporter
) -> dict[str, Tally]:
    """Bring `hosts` to the wanted state; counts by host. Raises ProvisionError, ConnectionFailed.

    A host's own failures are in its tally and do not stop the others.
    """
    tallies = {host.name: Tally() for host in hosts}
    with exclusive(inventory.cluster.name):
        _namespaces(inventory, hosts, options, reporter, tallies)
        with Hosts(inventory) as cluster, exclusive_hosts(cluster, hosts):
            run = _Provisioning(cluster, options, reporter)
            secrets, facts = run.prepare(hosts, tallies)
            run.note_orphans(facts)
            run.on_each(
                lambda host: run.apply(host, facts[host.name], secrets, tallies[host.name]),
                [host for host in hosts if host.name in facts],
                tallies,
            )
    return tallies


class _Provisioning:
    """Facts of the hosts, the secrets they share, and each host's plan."""

    def __init__(self, cluster: Hosts, options: Options, reporter: Reporter) -> None:
        self.cluster, self.inventory = cluster, cluster.inventory
        self.options, self.reporter = options, reporter
        self.orphans: list[Host] = []

    def on_each(
        self, work: Callable[[Host], T], hosts: list[Host], tallies: dict[str, Tally]
    ) -> dict[str, T]:
        """`work` on these hosts, and its results; a failure is shown, and counted in the tally."""
        done: dict[str, T] = {}
        for name, result in self.cluster.each(work, hosts).items():
            if isinstance(result, Exception):
                tallies[name].fail(result)
                self.reporter.event(name, "failed", str(result).removeprefix(f"{name}: "))
            else:
                done[name] = result
        return done

    def facts(self, host: Host) -> Facts:
        # Before its namespace exists (--check, --limit) a host still has files and processes.
        outside = (
            self.inventory.cluster.connection == "netns"
            and not (NAMESPACES / self.inventory.namespace(host)).exists()
        )
        commands = host_facts(self.inventory, host, managed_paths(self.inventory, host))
        return gather(self.cluster.connector(host), commands, outside=outside)

    def prepare(
        self, hosts: list[Host], tallies: dict[str, Tally]
    ) -> tuple[Secrets, dict[str, Facts]]:
        """The secrets that all hosts share, and the facts of those hosts that answer."""
        facts = self.on_each(self.facts, hosts, tallies)
        hashes = majority_hashes(self._in_order(facts), self._secret_path)
        others = [host for host in self.inventory.hosts if host not in hosts]
        known = dict(facts)
        if facts and others and len(hashes) < len(USERS):
            unreached = {other.name: Tally() for other in others}
            known |= self.on_each(self.facts, others, unreached)
            hashes = majority_hashes(self._in_order(known), self._secret_path)
        silent = [host.name for host in self.inventory.hosts if host.name not in known]
        if facts and silent and (lost := missing_secrets(hashes, known.values())):
            raise ProvisionError(
                f"the password of {', '.join(lost)} may be on {', '.join(silent)}, which cannot be"
                " reached, and a new one would not fit: bring it up, or, if it was never"
                " provisioned or is gone for good, take it out of the inventory"
            )
        return Secrets(hashes, lambda user, digest: self._fetch(known, user, digest)), facts

    def note_orphans(self, facts: dict[str, Facts]) -> None:
        """Say which hosts are on a roster and not in the inventory: they go on running."""
        roster = {name: entry for fact in facts.values() for name, entry in fact.roster.items()}
        self.orphans = rosters.orphans(self.inventory, roster)
        for host in self.orphans:
            self.reporter.note(
                f"{host.name} ({host.ssh_address}) is of this cluster and not in the inventory any"
                " more: `fab destroy --orphans` removes it, if that was meant"
            )

    def apply(self, host: Host, facts: Facts, secrets: Secrets, tally: Tally) -> None:
        site = Site(self.inventory, host, secrets, self.orphans)
        plan = Plan(
            self.cluster.connector(host),
            lambda: self.facts(host),
            f"{site.folder}/run/pending",
            self.options,
            self.reporter,
        )
        plan.apply(site.stages, facts, tally)

    def _secret_path(self, name: str, user: str) -> str:
        return f"{self.inventory.folder(self.inventory.host(name))}/etc/secrets/{user}"

    def _in_order(self, facts: dict[str, Facts]) -> dict[str, Facts]:
        return {host.name: facts[host.name] for host in self.inventory.hosts if host.name in facts}

    def _fetch(self, known: dict[str, Facts], user: str, digest: str) -> bytes:
        for name, facts in known.items():
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
