"""`fab doctor`: what this machine offers, and what earlier runs left on it.

A check yields findings; one that is not ok says how to put it right. What the kernel offers is
found by trying, in scratch namespaces that are removed again, and not by version numbers.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cgroups.detect import hierarchy
from cgroups.hierarchy import GroupError, Unusable
from provision.build import extension
from provision.connect.contract import ConnectorError
from provision.connect.hosts import Hosts
from provision.host.facts import version
from provision.host.leftovers import leftovers
from provision.host.site import PYTHON_AT_LEAST, REDIS_AT_LEAST, dotted
from provision.host.supervision import faults_program
from provision.inventory.model import Host, Inventory
from provision.inventory.schema import DEFAULT_DATA

OK, WARNING, PROBLEM = "ok", "warning", "problem"
FREE_BYTES = 2 << 30  # below this much free space doctor warns
TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables": "iptables",
    "flock": "util-linux",
    "ss": "iproute2",
}
FAULTS_SECONDS = 60


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
    """All findings about this machine, for this inventory."""
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _disk, _compiled_kernel]
    if inventory.cluster.connection == "netns":
        checks = [_root, _tools, _redis, *checks, _cgroups, _kernel]
    for check in checks:
        yield from check()
    yield from _leftovers(inventory)
    yield from _faults(inventory)


def _finding(
    ok: bool, subject: str, text: str, problem: str, fix: str, level: str = PROBLEM
) -> Finding:
    return Finding(OK, subject, text) if ok else Finding(level, subject, problem, fix)


def _root() -> Iterator[Finding]:
    problem, fix = "network namespaces need root", "run fab with sudo, or use SSH hosts"
    yield _finding(os.geteuid() == 0, "root", "running as root", problem, fix)


def _tools() -> Iterator[Finding]:
    for tool, package in TOOLS.items():
        there = shutil.which(tool) is not None
        yield _finding(there, tool, "found", "not on the PATH", f"apt-get install {package}")


def _redis() -> Iterator[Finding]:
    if not shutil.which("redis-server"):
        yield Finding(OK, "redis-server", "not there yet: `fab provision` installs it")
        return
    output = subprocess.run(
        ["redis-server", "--version"], capture_output=True, text=True, check=False
    ).stdout
    redis = version(output)
    yield _finding(
        redis >= REDIS_AT_LEAST,
        "redis-server",
        dotted(redis),
        f"{dotted(redis)}, needed is 7.0 or later; Ubuntu 22.04 ships 6.0, which has no functions",
        "use Debian 12 or Ubuntu 24.04, or Redis' own package repository",
    )


def _python() -> Iterator[Finding]:
    python = sys.version_info[:3]
    text, fix = dotted(python), "use Python 3.11 or later"
    yield _finding(python >= PYTHON_AT_LEAST, "python", text, text, fix)


def _compiled_kernel() -> Iterator[Finding]:
    try:
        extension.build()
        yield Finding(OK, "counting", "the compiled kernel is built, for hosts like this machine")
    except extension.CannotBuild as error:
        text = f"hosts count in plain Python, which is slower: {error}"
        yield Finding(WARNING, "counting", text, extension.FIX)


def _disk() -> Iterator[Finding]:
    folder = Path(DEFAULT_DATA)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
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


def _kernel() -> Iterator[Finding]:
    """Tries what hosts and faults need of the kernel, in two scratch namespaces."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return
    tag = secrets.token_hex(3)
    here, there = f"fl-doctor-{tag}a", f"fl-doctor-{tag}b"
    trials = [
        ("network namespaces", f"ip netns add {here} && ip netns add {there}", PROBLEM),
        ("veth", f"ip -n {here} link add v type veth peer name w netns {there}", PROBLEM),
        ("bridge", f"ip -n {here} link add br0 type bridge", PROBLEM),
        (
            "iptables in a namespace",
            f"nsenter --net=/run/netns/{here} iptables -w -A INPUT -s 198.18.0.1 -j DROP",
            PROBLEM,
        ),
        ("netem", f"tc -n {here} qdisc add dev v root netem delay 1ms", WARNING),
        ("tbf", f"tc -n {there} qdisc add dev w root tbf rate 1mbit burst 32kbit"
         " latency 400ms", WARNING),
    ]  # fmt: skip
    try:
        for subject, command, level in trials:
            done = subprocess.run(
                ["sh", "-c", command], capture_output=True, text=True, check=False
            )
            reason = (done.stderr.strip().splitlines() or ["no message"])[0]
            fix = (
                "partition --delay and --jitter will be refused; the others work without it"
                if level == WARNING
                else "load the kernel module, or use a machine or VM that allows it"
            )
            works = done.returncode == 0
            yield _finding(works, subject, "works", f"does not work: {reason}", fix, level)
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _leftovers(inventory: Inventory) -> Iterator[Finding]:
    """What other clusters, or earlier versions of this one, have on this machine."""
    findings = [Finding(WARNING, "leftover", each.text, each.fix) for each in leftovers(inventory)]
    yield from findings or [Finding(OK, "leftovers", "none")]


def _faults(inventory: Inventory) -> Iterator[Finding]:
    """Faults in force on the hosts that answer, and those whose timer is gone."""

    def list_faults(host: Host) -> list[dict[str, Any]]:
        command = faults_program(inventory.folder(host), "list")
        output = hosts.connector(host).run(command, check=False, timeout=FAULTS_SECONDS).stdout
        return list(json.loads(output or "[]"))

    with Hosts(inventory) as hosts:
        results = hosts.each(list_faults)
    findings = []
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
    yield from findings or [Finding(OK, "faults", "none in force")]
