"""`fab destroy`: take away what provision made, and nothing else.

It also works after an unfinished provision, and twice. On each host it ends the processes of the
data folder, then removes its unit and folder; with the last host of a cluster on a machine also the
Python environments and the users that carry our comment. Packages stay.
"""

from __future__ import annotations

import shlex

from provision.connect.hosts import Hosts
from provision.connect.netns import NAMESPACES, require_root
from provision.host import namespaces, supervision
from provision.host.layout import unit_name, unit_path, user_comment
from provision.host.operations import MACHINE_LOCK
from provision.inventory.model import Host, Inventory
from provision.provisioning import exclusive
from provision.report import Reporter, Tally

CHANGED = "removed: "

# Faults end first, with their timers: what they changed may be outside the folder.
END_FAULTS = """
if [ -d {folder}/run/faults ] && [ -x {folder}/env/bin/python ]; then
    {end_faults} >/dev/null || :  # a timer whose record is gone ends by itself
fi
"""
# An environment that never got as far as having the module has made no groups.
REMOVE_GROUPS = """
if {folder}/env/bin/python -I -c 'import cgroups' 2>/dev/null; then
    groups=$({folder}/env/bin/python -I -m cgroups remove {cluster}/{host}) || exit 1
    for group in $groups; do echo "{changed}$group"; done
fi
"""
REMOVE_HOST = """
unit={unit_path}
if [ -e $unit ] && grep -qF {folder}/ $unit; then
    systemctl disable --now --quiet {unit}
    rm -f $unit && systemctl daemon-reload && echo '{changed}{unit}'
fi
"""
REMOVE_FOLDERS = """
if [ -e {folder} ]; then rm -rf {folder} && echo '{changed}{folder}'; fi
others=$(find {cluster_folder} -mindepth 1 -maxdepth 1 ! -name env 2>/dev/null)
[ -z "$others" ] || exit 0
if [ -e {cluster_folder} ]; then rm -rf {cluster_folder} && echo '{changed}{cluster_folder}'; fi
for user in {users}; do
    if getent passwd $user | cut -d: -f5 | grep -qxF {comment}; then
        userdel $user && echo "{changed}user $user"
    fi
done
# The folder of all clusters is ours only with our mark in it, and empty but for that.
if [ -e {base}/.faultline ] && [ "$(ls -A {base})" = .faultline ]; then
    rm {base}/.faultline && rmdir {base} && echo '{changed}{base}'
fi
"""


def destroy(inventory: Inventory, hosts: list[Host], reporter: Reporter) -> dict[str, Tally]:
    """Remove `hosts`; counts by host. A host's failures are in its tally and stop no other.

    Raises ProvisionError when another run is at work, ConnectionFailed without root.
    """
    tallies = {host.name: Tally() for host in hosts}
    netns = inventory.cluster.connection == "netns"
    if netns:
        require_root()
    with exclusive(inventory.cluster.name), Hosts(inventory) as cluster:

        def work(host: Host) -> None:
            name, connector = host.name, cluster.connector(host)
            # Without its namespace a host may still have its folder and processes.
            outside = netns and not (NAMESPACES / inventory.namespace(host)).exists()
            users = [inventory.worker_user, inventory.redis_user]
            reporter.event(name, "begin", "end its faults and processes")
            fill = _values(inventory, host)
            connector.run(END_FAULTS.format(**fill), outside=outside)
            said = connector.run(REMOVE_HOST.format(**fill), outside=outside).stdout
            terminate = supervision.terminate(fill["folder"], users, now=True)
            connector.run(terminate.command, stdin=terminate.stdin, outside=outside)
            said += connector.run(REMOVE_GROUPS.format(**fill), outside=outside).stdout
            script = f"{MACHINE_LOCK} sh -c {shlex.quote(REMOVE_FOLDERS.format(**fill))}"
            said += connector.run(script, outside=outside).stdout
            for line in said.splitlines():
                if line.startswith(CHANGED):
                    tallies[name].changed += 1
                    reporter.event(name, "changed", f"remove {line.removeprefix(CHANGED)}")
            if not said:
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
    # With all hosts gone, also namespaces of hosts the inventory no longer has.
    everything = len(done) == len(inventory.hosts)
    removed = namespaces.remove(inventory, None if everything else done)
    for host in done:
        if inventory.namespace(host) in removed:
            tallies[host.name].changed += 1
            reporter.event(host.name, "changed", "remove the namespace")
        else:
            tallies[host.name].ok += 1


def _values(inventory: Inventory, host: Host) -> dict[str, str]:
    cluster = inventory.cluster.name
    users = [inventory.redis_user]
    if not inventory.workers.user:
        users.append(inventory.worker_user)
    return {
        "cluster": cluster,
        "host": host.name,
        "folder": inventory.folder(host),
        "end_faults": supervision.faults_program(inventory.folder(host), "heal", "--all"),
        "cluster_folder": inventory.cluster_folder(host),
        "base": host.data,
        "users": " ".join(users),
        "comment": shlex.quote(user_comment(cluster)),
        "unit": unit_name(cluster),
        "unit_path": unit_path(cluster),
        "changed": CHANGED,
    }
