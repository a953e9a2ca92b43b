"""`fab doctor`: what this machine and the hosts offer, and what earlier runs left on them.

A check yields findings; one that is not ok says how to put it right. What the kernel offers is
found by trying, in scratch namespaces that are removed again, and not by version numbers.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from cgroups.detect import hierarchy
from cgroups.hierarchy import GroupError, Unusable
from provision.build import extension
from provision.connect.contract import ENVIRONMENT, Connector, ConnectorError
from provision.connect.hosts import Hosts
from provision.doctor.leftovers import leftovers
from provision.doctor.trials import CGROUPS, PARTITIONS, TOOLS, Trial, namespaces
from provision.host.fact_commands import PYTHON
from provision.host.facts import version
from provision.host.site import PYTHON_AT_LEAST, REDIS_AT_LEAST, dotted
from provision.host.supervision import faults_program
from provision.inventory.model import Host, Inventory
from provision.inventory.schema import DEFAULT_DATA

OK, WARNING, PROBLEM = "ok", "warning", "problem"
FREE_BYTES = 2 << 30  # below this much free space doctor warns
HOST_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """`level` is ok, warning or problem; `fix` says what to do about the latter two."""

    level: str
    subject: str
    text: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(inventory: Inventory) -> Iterator[Finding]:
    """All findings about this machine, and about the hosts if these are others."""
    yield from _python(sys.version_info[:3])
    yield from _compiled_kernel()
    if inventory.cluster.connection == "ssh":
        yield from _on_hosts(inventory, _host)
    else:
        yield from _this_machine()
    yield from _leftovers(inventory)
    if inventory.cluster.connection == "ssh" or os.geteuid() == 0:
        yield from _faults(inventory)


def _this_machine() -> Iterator[Finding]:
    """What hosts as namespaces need of it."""
    yield from _root()
    yield from _try(TOOLS, _run_here)
    yield from _redis(version(_run_here("redis-server --version")[1]))
    yield from _disk(_run_here(_space(DEFAULT_DATA))[1], DEFAULT_DATA)
    yield from _cgroups()
    if os.geteuid() == 0:
        trials, remove = namespaces(secrets.token_hex(3))
        try:
            yield from _try((*trials, *PARTITIONS), _run_here)
        finally:
            _run_here(remove)


def _host(inventory: Inventory, connector: Connector) -> list[Finding]:
    """What a host behind SSH offers, and what other clusters have there."""
    host = connector.host

    def run(command: str) -> tuple[int, str]:
        done = connector.run(command, check=False, timeout=HOST_SECONDS)
        return done.exit_code, done.stdout if done.exit_code == 0 else done.stderr

    findings = [Finding(OK, "ssh", "answers, and commands run as root")]
    findings += _python(version(run(f"{PYTHON} -V")[1]))
    findings += _redis(version(run("redis-server --version")[1]))
    findings += _disk(run(_space(host.data))[1], host.data)
    findings += _try((*TOOLS, CGROUPS, *PARTITIONS), run)
    others = f"find {host.data} -mindepth 2 -maxdepth 2 -type d ! -name env"
    for folder in run(f"{others} ! -path '{inventory.cluster_folder(host)}/*' 2>/dev/null")[
        1
    ].split():
        text = f"data folder {folder} of another cluster"
        findings.append(
            Finding(WARNING, "leftover", text, "nothing, if that is in use; else destroy it")
        )
    return findings


def _on_hosts(
    inventory: Inventory, examination: Callable[[Inventory, Connector], list[Finding]]
) -> Iterator[Finding]:
    """The findings of all hosts, with their names; a host that does not answer is one, too."""
    with Hosts(inventory) as hosts:
        results = hosts.each(lambda host: examination(inventory, hosts.connector(host)))
    for name, result in results.items():
        if isinstance(result, ConnectorError):
            text = str(result).removeprefix(f"{name} ").removeprefix(f"{name}: ")
            yield Finding(PROBLEM, f"{name} ssh", text, "put that right, and run it again")
        elif isinstance(result, Exception):
            raise result
        else:
            for finding in result:
                yield replace(finding, subject=f"{name} {finding.subject}")


def _run_here(command: str) -> tuple[int, str]:
    """The exit code of a shell command, and its output, or its error if it failed."""
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def _try(trials: Iterable[Trial], run: Callable[[str], tuple[int, str]]) -> Iterator[Finding]:
    for trial in trials:
        code, output = run(trial.command)
        reason = (output.strip().splitlines() or ["no message"])[0]
        level = PROBLEM if trial.needed else WARNING
        text = f"does not work: {reason}"
        yield _finding(code == 0, trial.subject, "works", text, trial.fix, level)


def _space(folder: str) -> str:
    """A shell command that prints the bytes free below a folder, or where that will be."""
    return (
        f"p={folder}; until [ -e $p ]; do p=$(dirname $p); done;"
        " df --output=avail -B1 $p | tail -n 1"
    )


def _finding(
    ok: bool, subject: str, text: str, problem: str, fix: str, level: str = PROBLEM
) -> Finding:
    return Finding(OK, subject, text) if ok else Finding(level, subject, problem, fix)


def _root() -> Iterator[Finding]:
    problem, fix = "network namespaces need root", "run fab with sudo, or use SSH hosts"
    yield _finding(os.geteuid() == 0, "root", "running as root", problem, fix)


def _redis(redis: tuple[int, ...]) -> Iterator[Finding]:
    if not redis:
        yield Finding(OK, "redis-server", "not there yet: `fab provision` installs it")
        return
    yield _finding(
        redis >= REDIS_AT_LEAST,
        "redis-server",
        dotted(redis),
        f"{dotted(redis)}, needed is 7.0 or later; Ubuntu 22.04 ships 6.0, which has no functions",
        "use Debian 12 or Ubuntu 24.04, or Redis' own package repository",
    )


def _python(python: tuple[int, ...]) -> Iterator[Finding]:
    text, fix = dotted(python), "use Python 3.11 or later"
    yield _finding(python >= PYTHON_AT_LEAST, "python", text, text, fix)


def _compiled_kernel() -> Iterator[Finding]:
    try:
        extension.build()
        yield Finding(OK, "counting", "the compiled kernel is built, for hosts like this machine")
    except (extension.CannotBuild, OSError) as error:
        text = f"hosts count in plain Python, which is slower: {error}"
        yield Finding(WARNING, "counting", text, extension.FIX)


def _disk(available: str, folder: str) -> Iterator[Finding]:
    free = int(available)
    text = f"{free / (1 << 30):.1f} GB free below {folder}"
    fix = "free some: Redis' checkpoints and logs go there"
    yield _finding(free >= FREE_BYTES, "disk", text, text, fix, WARNING)


def _cgroups() -> Iterator[Finding]:
    try:
        tree = hierarchy()
        if os.geteuid() == 0:
            tree.rehearse(f"doctor-{secrets.token_hex(3)}")
        yield Finding(OK, "cgroups", f"v{tree.version}, with the cpu controller")
    except (Unusable, GroupError) as error:
        yield Finding(WARNING, "cgroups", str(error), "slowing workers down needs it")


def _leftovers(inventory: Inventory) -> Iterator[Finding]:
    """What other clusters, or earlier versions of this one, have on this machine."""
    findings = [Finding(WARNING, "leftover", each.text, each.fix) for each in leftovers(inventory)]
    yield from findings or [Finding(OK, "leftovers", "none")]


def _faults(inventory: Inventory) -> Iterator[Finding]:
    """Faults in force on the hosts that answer, and those whose timer is gone."""

    def list_faults(host: Host) -> list[dict[str, Any]]:
        command = faults_program(inventory.folder(host), "list")
        output = hosts.connector(host).run(command, check=False, timeout=HOST_SECONDS).stdout
        return list(json.loads(output or "[]"))

    with Hosts(inventory) as hosts:
        results = hosts.each(list_faults)
    findings = []
    silent = [name for name, faults in results.items() if isinstance(faults, ConnectorError)]
    for name, faults in results.items():
        if isinstance(faults, ConnectorError):
            continue  # not provisioned yet, or down, which `fab status` shows
        if isinstance(faults, Exception):
            raise faults
        for fault in faults:
            heal = faults_program(inventory.folder(inventory.host(name)), "heal", fault["id"])
            text = f"{fault['target']} on {name} is {fault['text']}"
            if fault["stale"]:
                text = f"{text}: left behind, its timer is gone"
                fix = f"`fab provision` ends it; or as root on {name}: {heal}"
                findings.append(Finding(PROBLEM, "fault", text, fix))
            else:
                text = f"{text}, {fault['seconds_left']:.0f} s left ({fault['id']})"
                fix = f"it ends by itself; sooner as root on {name}: {heal}"
                findings.append(Finding(WARNING, "fault", text, fix))
    text = f"none in force; not asked, as they do not answer: {', '.join(silent)}"
    yield from findings or [Finding(OK, "faults", text if silent else "none in force")]
