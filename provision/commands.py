"""What the fabfile's tasks about hosts call: arguments as typed in, an exit code out
(provision/exit_codes.py). 1: a host failed, or a check found a problem.
"""

from __future__ import annotations

import sys
from contextlib import closing

from provision import provisioning
from provision.connect.factory import connect
from provision.destroy import destroying
from provision.doctor.examination import PROBLEM, examine
from provision.exit_codes import Declined, UsageError
from provision.host.plan import Options
from provision.inventory import units
from provision.inventory.model import Host, Inventory
from provision.inventory.units import Typed
from provision.logs import lines
from provision.named_inventory import open_inventory
from provision.output import print_json
from provision.report import Reporter, Tally, print_recap


def choose_hosts(inventory: Inventory, limit: Typed) -> list[Host]:
    """The hosts named in `h1,h2`, in the inventory's order; all without a limit. UsageError."""
    if limit is None:
        return list(inventory.hosts)
    names = [name.strip() for name in limit.split(",") if name.strip()]
    if not names:
        raise UsageError("--limit: allowed is one host name or more, separated by commas")
    try:
        chosen = {inventory.host(name) for name in names}
    except KeyError as error:
        raise UsageError(f"--limit: {error.args[0]}") from None
    return [host for host in inventory.hosts if host in chosen]


def provision(
    inventory_path: Typed, limit: Typed, *, check: bool, diff: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    hosts = choose_hosts(inventory, limit)
    with Reporter([host.name for host in hosts], to_stderr=as_json) as reporter:
        options = Options(check=check, diff=diff)
        tallies = provisioning.provision(inventory, hosts, options, reporter)
    return _conclude(reporter, tallies, as_json)


def destroy(inventory_path: Typed, limit: Typed, *, orphans: bool, yes: bool, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    hosts = choose_hosts(inventory, limit)
    if orphans and limit is not None:
        raise UsageError("--orphans: hosts of --limit are in the inventory, and orphans are not")
    names = [] if orphans else [host.name for host in hosts]
    if not yes:
        _ask(f"Destroy {', '.join(names) or 'its orphans'} of cluster {inventory.cluster.name}?")
    with Reporter(names, to_stderr=as_json) as reporter:
        if orphans:
            tallies = destroying.destroy_orphans(inventory, reporter)
        else:
            tallies = destroying.destroy(inventory, hosts, reporter)
    return _conclude(reporter, tallies, as_json)


def _ask(question: str) -> None:
    """Raises Declined, and UsageError where there is nobody to ask."""
    if not sys.stdin.isatty():
        raise UsageError("destroy asks first, and standard input is no terminal: add --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("Nothing was changed.")


def doctor(inventory_path: Typed, *, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    findings = list(examine(inventory))
    if as_json:
        print_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            sys.stdout.write(f"{finding.level:8} {finding.subject}: {finding.text}\n")
            if finding.fix:
                sys.stdout.write(f"{'':8}   -> {finding.fix}\n")
    return 1 if any(finding.level == PROBLEM for finding in findings) else 0


def logs(
    inventory_path: Typed, host_name: Typed, program: Typed, *, follow: bool, count: str
) -> int:
    if host_name is None or program is None:
        raise UsageError("needed are --host and --process: fab logs --host h1 --process worker-0")
    inventory = open_inventory(inventory_path)
    most = units.count(0, 999_999).option("--lines", count)
    host = choose_hosts(inventory, host_name)[0]
    with connect(inventory, host) as connector:
        try:
            found = lines(connector, inventory, host, program, most, follow)
            with closing(found):
                for line in found:
                    sys.stdout.write(f"{line}\n")
                    sys.stdout.flush()
        except KeyboardInterrupt:
            return 0  # that is how following ends
    return 0


def _conclude(reporter: Reporter, tallies: dict[str, Tally], as_json: bool) -> int:
    reporter.recap(tallies)
    if as_json:
        print_recap(tallies, reporter.notes)
    return 1 if any(tally.failed for tally in tallies.values()) else 0
