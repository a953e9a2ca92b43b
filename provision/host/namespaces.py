"""Hosts as network namespaces: each has an interface eth0, joined by a veth pair to a bridge.

The bridge is in a namespace of its own, the switch, so the machine's own interfaces, routes and
firewall are never touched. Every name has the cluster's in it: fl-<cluster>-<host>. Incomplete
namespaces are repaired, and complete ones left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable
from typing import Any

from provision.connect.contract import ConnectorError
from provision.connect.netns import NAMESPACES, require_root
from provision.inventory.checks import switch_address
from provision.inventory.model import Host, Inventory

BRIDGE = "br0"
KILL_SECONDS = 30  # on a busy machine a large process takes long to end


def create(inventory: Inventory, hosts: Iterable[Host], *, check: bool = False) -> set[str]:
    """Make or repair the switch and the namespaces of `hosts`; returns the hosts that changed.

    With `check` nothing is changed, and the hosts that would change are returned.
    Raises ConnectionFailed without root, ConnectorError when the kernel refuses.
    """
    require_root()
    hosts = list(hosts)
    switch = inventory.switch_namespace
    ports = _links(switch)
    changed = {host.name for host in hosts if not _is_whole(inventory, host, ports)}
    if check or not changed:
        return changed
    missing = [name for name in (switch, *_names(inventory, hosts)) if not _usable(name)]
    for name in missing:
        (NAMESPACES / name).unlink(missing_ok=True)
    _batch(None, [f"netns add {name}" for name in missing])
    lines = []
    if not _is_switch(inventory, ports):
        if BRIDGE in ports:
            lines.append(f"link del {BRIDGE}")
        lines += [
            f"link add {BRIDGE} type bridge",
            f"addr add {_with_prefix(inventory, str(switch_address(inventory.cluster.subnet)))}"
            f" dev {BRIDGE}",
            f"link set {BRIDGE} up",
            "link set lo up",
        ]
        # A new bridge has no ports: hosts that are not in this run are joined to it again.
        lines += [f"link set {port} master {BRIDGE}" for port in ports if port.startswith("p-")]
    rebuilt = [host for host in hosts if host.name in changed]
    for host in rebuilt:
        if port_name(host) in ports:
            lines.append(f"link del {port_name(host)}")
        lines += [
            f"link add {port_name(host)} type veth peer name eth0"
            f" netns {inventory.namespace(host)}",
            f"link set {port_name(host)} master {BRIDGE} up",
        ]
    _batch(switch, lines)
    for host in rebuilt:
        _batch(
            inventory.namespace(host),
            [
                f"addr add {_with_prefix(inventory, host.address)} dev eth0",
                "link set eth0 up",
                "link set lo up",
            ],
        )
    return changed


def remove(inventory: Inventory, hosts: Iterable[Host] | None = None) -> set[str]:
    """Kill the processes in the namespaces of `hosts`, and remove these; returns their names.

    None means all of the cluster's, also those of hosts that the inventory no longer has. The
    switch is removed with the last of them. Raises ConnectionFailed without root, ConnectorError
    when a process does not die.
    """
    require_root()
    ours = of_cluster(inventory.cluster.name)
    switch = inventory.switch_namespace
    chosen = ours if hosts is None else _names(inventory, hosts)
    names = [name for name in chosen if name in ours and name != switch]
    if set(ours) <= {*names, switch} and switch in ours:
        names.append(switch)
    kill_processes(names)
    ports = _links(switch)
    for name in names:
        # The namespace ends some time after its name is removed, and its port only then.
        port = f"p-{name.rpartition('-')[2]}"
        if port in ports and switch not in names:
            _batch(switch, [f"link del {port}"])
    _batch(None, [f"netns del {name}" for name in names])
    return set(names)


def of_cluster(cluster: str) -> list[str]:
    """Names of the cluster's namespaces on this machine, the switch included."""
    return [name for name in existing() if name.rpartition("-")[0] == f"fl-{cluster}"]


def existing() -> list[str]:
    """Names of all namespaces on this machine that follow our naming."""
    try:
        return sorted(name for name in os.listdir(NAMESPACES) if name.startswith("fl-"))
    except FileNotFoundError:
        return []


def pids(names: Iterable[str]) -> list[int]:
    """Ids of the processes inside the named namespaces."""
    inodes = set()
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(NAMESPACES / name)
            inodes.add((status.st_dev, status.st_ino))
    return [
        pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _network(pid) in inodes
    ]


def kill_processes(names: Iterable[str]) -> None:
    """SIGKILL all processes in the namespaces, and wait for their end. Raises ConnectorError."""
    names = list(names)
    deadline = time.monotonic() + KILL_SECONDS
    while left := [pid for pid in pids(names) if pid != os.getpid()]:
        for pid in left:
            _kill(pid, deadline)
        if time.monotonic() > deadline:
            raise ConnectorError(
                f"processes {left} in {', '.join(names)} do not die: look at them with"
                " `ps -o pid,stat,wchan,args`, then run it again"
            )


def port_name(host: Host) -> str:
    """The interface in the switch that a host's eth0 is joined to."""
    return f"p-{host.name}"


def _kill(pid: int, deadline: float) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
    finally:
        os.close(handle)


def _network(pid: int) -> tuple[int, int] | None:
    try:
        status = os.stat(f"/proc/{pid}/ns/net")
    except OSError:  # it has ended, or is a zombie
        return None
    return status.st_dev, status.st_ino


def _names(inventory: Inventory, hosts: Iterable[Host]) -> list[str]:
    return [inventory.namespace(host) for host in hosts]


def _with_prefix(inventory: Inventory, address: str) -> str:
    return f"{address}/{inventory.cluster.subnet.prefixlen}"


def _links(namespace: str) -> dict[str, dict[str, Any]]:
    """Interfaces by name, as `ip -j addr` has them; {} when the namespace is missing or broken."""
    done = subprocess.run(
        ["ip", "-n", namespace, "-j", "addr"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return {}
    return {link["ifname"]: link for link in json.loads(done.stdout or "[]")}


def _addresses(link: dict[str, Any] | None) -> list[str]:
    info = (link or {}).get("addr_info", [])
    return [f"{a['local']}/{a['prefixlen']}" for a in info if a["family"] == "inet"]


def _is_up(link: dict[str, Any] | None) -> bool:
    return "UP" in (link or {}).get("flags", [])


def _is_switch(inventory: Inventory, links: dict[str, dict[str, Any]]) -> bool:
    address = _with_prefix(inventory, str(switch_address(inventory.cluster.subnet)))
    bridge = links.get(BRIDGE)
    return _is_up(bridge) and _addresses(bridge) == [address] and _is_up(links.get("lo"))


def _is_whole(inventory: Inventory, host: Host, ports: dict[str, dict[str, Any]]) -> bool:
    port = ports.get(port_name(host))
    if not _is_switch(inventory, ports) or not _is_up(port) or (port or {}).get("master") != BRIDGE:
        return False
    links = _links(inventory.namespace(host))
    eth0 = links.get("eth0")
    joined = _is_up(eth0) and _is_up(links.get("lo"))
    return joined and _addresses(eth0) == [_with_prefix(inventory, host.address)]


def _usable(name: str) -> bool:
    """Whether the name is mounted. When it is only a file, adding the namespace was interrupted."""
    return os.path.ismount(NAMESPACES / name)


def _batch(namespace: str | None, lines: list[str]) -> None:
    """Run several `ip` commands in one process."""
    if not lines:
        return
    where = ["-n", namespace] if namespace else []
    done = subprocess.run(
        ["ip", *where, "-batch", "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ConnectorError(
            f"`ip {' '.join(where)}` refused one of {lines}: {done.stderr.strip()}:"
            " `fab doctor` checks what the kernel offers"
        )
