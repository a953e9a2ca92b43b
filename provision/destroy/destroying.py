"""`fab destroy`: take away what provision made, and nothing else.

It also works after an unfinished provision, and twice. On each host it ends the processes of the
data folder, then removes its unit and folder; with the last host of a cluster on a machine also the
Python environments and the users that carry our comment. Packages stay.
"""

from __future__ import annotations

from dataclasses import replace
from shlex import quote

from provision import rosters
from provision.connect.contract import OUTPUT_CHARACTERS
from provision.connect.hosts import Hosts
from provision.connect.netns import NAMESPACES, require_root
from provision.destroy import removal
from provision.exclusive import exclusive, exclusive_hosts
from provision.exit_codes import CommandError
from provision.host import facts, namespaces, supervision
from provision.host.layout import ROSTER
from provision.host.operations import MACHINE_LOCK
from provision.inventory.model import Host, Inventory
from provision.report import Reporter, Tally

ROSTER_SECONDS = 60


class NotRemoved(CommandError):
    """Something of a host is still there; the message says what, why, and what to do."""

    kind = "destroy"


def destroy(inventory: Inventory, hosts: list[Host], reporter: Reporter) -> dict[str, Tally]:
    """Remove `hosts`; counts by host. A host's failures are in its tally and stop no other.

    All hosts of the inventory means the orphans too: with the last host goes the last note of
    them. Raises ProvisionError when another run is at work, ConnectionFailed without root.
    """
    _require_root(inventory)
    with exclusive(inventory.cluster.name):
        found = _orphans(inventory) if len(hosts) == len(inventory.hosts) else []
        return _destroy(inventory, [*hosts, *found], reporter)


def destroy_orphans(inventory: Inventory, reporter: Reporter) -> dict[str, Tally]:
    """Remove the hosts that are of this cluster and not in the inventory any more; as `destroy`."""
    _require_root(inventory)
    with exclusive(inventory.cluster.name):
        found = _orphans(inventory)
        if not found:
            reporter.note(f"no host of {inventory.cluster.name} knows of one that is not listed")
        tallies = _destroy(inventory, found, reporter)
        left = [host for host in found if tallies[host.name].failed]
        _forget(inventory, rosters.pack([*inventory.hosts, *left]))
    return tallies


def _require_root(inventory: Inventory) -> None:
    if inventory.cluster.connection == "netns":
        require_root()


def _orphans(inventory: Inventory) -> list[Host]:
    """The orphans that the hosts which answer know of."""
    with Hosts(inventory) as cluster:

        def read(host: Host) -> str:
            command = f"cat {inventory.cluster_folder(host)}/*/etc/{ROSTER} 2>/dev/null"
            where = _outside(inventory, host)
            connector = cluster.connector(host)
            return connector.run(command, check=False, outside=where, timeout=ROSTER_SECONDS).stdout

        texts = cluster.each(read).values()
    roster = facts.roster("".join(text for text in texts if isinstance(text, str)))
    return rosters.orphans(inventory, roster)


def _forget(inventory: Inventory, names: bytes) -> None:
    """Write the roster anew where there is one. A host that is away notes it at `provision`."""
    with Hosts(inventory) as cluster:

        def write(host: Host) -> None:
            path = f"{inventory.folder(host)}/etc/{ROSTER}"
            connector = cluster.connector(host)
            if connector.run(f"[ -e {path} ]", check=False).exit_code == 0:
                connector.put(names, path)

        cluster.each(write)


def _outside(inventory: Inventory, host: Host) -> bool:
    """Whether to go around the host's namespace: without it, its folder may still be there."""
    netns = inventory.cluster.connection == "netns"
    return netns and not (NAMESPACES / inventory.namespace(host)).exists()


def _destroy(inventory: Inventory, hosts: list[Host], reporter: Reporter) -> dict[str, Tally]:
    tallies = {host.name: Tally() for host in hosts}
    netns = inventory.cluster.connection == "netns"
    known = {host.name for host in inventory.hosts}
    everyone = (*inventory.hosts, *(host for host in hosts if host.name not in known))
    whole = replace(inventory, hosts=everyone)
    with Hosts(whole) as cluster, exclusive_hosts(cluster, hosts):

        def work(host: Host) -> None:
            name, connector = host.name, cluster.connector(host)
            outside = _outside(inventory, host)
            users = [inventory.worker_user, inventory.redis_user]
            fill = removal.values(inventory, host)

            def step(what: str, command: str, stdin: str | None = None) -> None:
                reporter.event(name, "begin", what)
                done = connector.run(command, stdin=stdin, outside=outside, check=False)
                for line in done.stdout.splitlines():
                    if line.startswith(removal.CHANGED):
                        tallies[name].changed += 1
                        removed = line.removeprefix(removal.CHANGED)
                        reporter.event(name, "changed", f"remove {removed}")
                if done.exit_code != 0:
                    why = done.stderr.strip()[-OUTPUT_CHARACTERS:] or "no message"
                    raise NotRemoved(
                        f"{name}: could not {what}: {why}: put that right, and run destroy again"
                    )

            end = supervision.terminate(fill["folder"], users, now=True)
            folders = removal.FOLDERS.format(**fill)
            step("take its folder for ours", removal.REQUIRE_OURS.format(**fill))
            try:
                step("end its faults", removal.END_FAULTS.format(**fill))
            except NotRemoved:
                # A namespace takes its rules with it, as groups and processes take their limits.
                if not netns:
                    raise
            step("remove its unit", removal.UNIT.format(**fill))
            step("end its processes", end.command, end.stdin)
            step("remove its control groups", removal.GROUPS.format(**fill))
            step("remove its folders and users", f"{MACHINE_LOCK} sh -c {quote(folders)}")
            if not tallies[name].changed:
                tallies[name].ok += 1

        for name, result in cluster.each(work, hosts).items():
            if isinstance(result, Exception):
                tallies[name].fail(result)
                reporter.event(name, "failed", str(result).removeprefix(f"{name}: "))
    if netns:
        _namespaces(inventory, hosts, reporter, tallies)
    return tallies


def _namespaces(
    inventory: Inventory, hosts: list[Host], reporter: Reporter, tallies: dict[str, Tally]
) -> None:
    done = [host for host in hosts if not tallies[host.name].failed]
    # With all hosts gone, also namespaces of hosts that nobody knows of any more.
    everything = {host.name for host in inventory.hosts} <= {host.name for host in done}
    removed = namespaces.remove(inventory, None if everything else done)
    for host in done:
        if inventory.namespace(host) in removed:
            tallies[host.name].changed += 1
            reporter.event(host.name, "changed", "remove the namespace")
        else:
            tallies[host.name].ok += 1
