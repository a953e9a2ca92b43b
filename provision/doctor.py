"""`fab doctor`: can this machine do what faultline asks of it, and what is left of earlier runs?

Checks are plain functions that yield findings; each finding that is not ok says how to put it
right. The kernel is asked by trying, in scratch namespaces that are removed again, not by
reading version numbers.
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

from provision.build import extension
from provision.connect.contract import ConnectorError
from provision.connect.hosts import Hosts
from provision.host import leftovers
from provision.host.facts import version
from provision.host.site import PYTHON_AT_LEAST, REDIS_AT_LEAST
from provision.host.supervision import faults_program
from provision.inventory.checks import DEFAULT_DATA
from provision.inventory.model import Host, Inventory

OK, WARNING, PROBLEM = "ok", "warning", "problem"
FREE_BYTES_WANTED = 2 << 30
TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "iptables": "iptables",
    "flock": "util-linux",
    "ss": "iproute2",
}
FAULTS_SECONDS = 60
CGROUPS = Path("/sys/fs/cgroup")


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
    """All findings about this machine, for the inventory at hand."""
    netns = inventory.cluster.connection == "netns"
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _disk, _counting]
    if netns:
        checks = [_root, _tools, _redis, *checks, _cgroups, _kernel]
    for check in checks:
        yield from check()
    yield from leftovers_of(inventory)
    yield from faults_of(inventory)


def _root() -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding(OK, "root", "running as root")
    else:
        yield Finding(
            PROBLEM, "root", "network namespaces need root", "run fab with sudo, or use SSH hosts"
        )


def _tools() -> Iterator[Finding]:
    for tool, package in TOOLS.items():
        if shutil.which(tool):
            yield Finding(OK, tool, "found")
        else:
            yield Finding(PROBLEM, tool, "not on the PATH", f"apt-get install {package}")


def _redis() -> Iterator[Finding]:
    if not shutil.which("redis-server"):
        yield Finding(OK, "redis-server", "not there yet: `fab provision` installs it")
        return
    said = subprocess.run(
        ["redis-server", "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = version(said)
    dotted = ".".join(map(str, found))
    if found >= REDIS_AT_LEAST:
        yield Finding(OK, "redis-server", dotted)
    else:
        yield Finding(
            PROBLEM,
            "redis-server",
            f"{dotted}, needed is 7.0 or later; Ubuntu 22.04 ships 6.0, which has no functions",
            "use Debian 12 or Ubuntu 24.04, or Redis' own package repository",
        )


def _python() -> Iterator[Finding]:
    found = sys.version_info[:3]
    dotted = ".".join(map(str, found))
    if found >= PYTHON_AT_LEAST:
        yield Finding(OK, "python", dotted)
    else:
        yield Finding(PROBLEM, "python", dotted, "use Python 3.11 or later")


def _counting() -> Iterator[Finding]:
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
    if free >= FREE_BYTES_WANTED:
        yield Finding(OK, "disk", text)
    else:
        yield Finding(WARNING, "disk", text, "free some: Redis' checkpoints and logs go there")


def _cgroups() -> Iterator[Finding]:
    controllers = CGROUPS / "cgroup.controllers"
    hybrid = CGROUPS / "unified" / "cgroup.controllers"
    fix = "slowing workers down needs it: enable the cpu controller at boot"
    if controllers.exists():
        there = "cpu" in controllers.read_text().split()
        kind = "v2"
    else:
        there = (CGROUPS / "cpu" / "cpu.cfs_quota_us").exists() or any(
            (CGROUPS / name).is_dir() for name in ("cpu", "cpu,cpuacct")
        )
        kind = "hybrid (v1 and v2)" if hybrid.exists() else "v1"
    if there:
        yield Finding(OK, "cgroups", f"{kind}, with the cpu controller")
    else:
        yield Finding(WARNING, "cgroups", f"{kind}, without the cpu controller", fix)


def _kernel() -> Iterator[Finding]:
    """Try what hosts and faults ask of the kernel, in two scratch namespaces."""
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
            if done.returncode == 0:
                yield Finding(OK, subject, "works")
            else:
                said = (done.stderr.strip().splitlines() or ["no message"])[0]
                fix = (
                    "partition --delay and --jitter will be refused; the others work without it"
                    if level == WARNING
                    else "load the kernel module, or use a machine or VM that allows it"
                )
                yield Finding(level, subject, f"does not work: {said}", fix)
    finally:
        for name in (here, there):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def leftovers_of(inventory: Inventory) -> Iterator[Finding]:
    """What other clusters, or earlier versions of this one, have on this machine."""
    found = list(leftovers.find(inventory))
    for one in found:
        yield Finding(WARNING, "leftover", one.text, one.fix)
    if not found:
        yield Finding(OK, "leftovers", "none")


def faults_of(inventory: Inventory) -> Iterator[Finding]:
    """What is broken on purpose on the hosts that answer, and what nobody will mend."""

    def ask(host: Host) -> list[dict[str, Any]]:
        listing = faults_program(inventory.folder(host), "list")
        said = hosts.connector(host).run(listing, check=False, timeout=FAULTS_SECONDS).stdout
        found: list[dict[str, Any]] = json.loads(said or "[]")
        return found

    with Hosts(inventory) as hosts:
        results = hosts.each(ask)
    total = 0
    for name, found in results.items():
        if isinstance(found, ConnectorError):
            continue  # not provisioned yet, or down: `fab status` is about that
        if isinstance(found, Exception):
            raise found
        for fault in found:
            total += 1
            heal = faults_program(inventory.folder(inventory.host(name)), "heal", fault["id"])
            text = f"{fault['target']} on {name} is {fault['text']}"
            if fault["stale"]:
                fix = f"`fab provision` ends it; or as root on {name}: {heal}"
                yield Finding(PROBLEM, "fault", f"{text}: left behind, its timer is gone", fix)
            else:
                left = f"{fault['seconds_left']:.0f} s left"
                fix = f"it ends by itself; sooner as root on {name}: {heal}"
                yield Finding(WARNING, "fault", f"{text}, {left} ({fault['id']})", fix)
    if not total:
        yield Finding(OK, "faults", "none in force")
