"""What of ours is on this machine without belonging to the inventory at hand.

A leftover may well be another cluster in use, so nothing is removed here: each comes with the
command that removes it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provision.host import namespaces
from provision.inventory.checks import DEFAULT_DATA
from provision.inventory.model import Inventory

USER_COMMENT = "faultline cluster "


@dataclass(frozen=True)
class Leftover:
    text: str
    fix: str


def find(inventory: Inventory) -> Iterator[Leftover]:
    """Namespaces, data folders, their processes and users that are not the inventory's."""
    cluster = inventory.cluster.name
    hosts = {host.name for host in inventory.hosts}
    expected = {inventory.switch_namespace, *(inventory.namespace(h) for h in inventory.hosts)}
    for name in namespaces.existing():
        if name not in expected:
            running = len(namespaces.processes([name]))
            other = name.rpartition("-")[0].removeprefix("fl-")
            if running:
                yield Leftover(f"namespace {name}, {running} processes in it", _in_use(other))
            else:
                yield Leftover(
                    f"namespace {name}", f"{_destroy(other)}, or by hand: ip netns del {name}"
                )
    for folder in _folders(Path(DEFAULT_DATA)):
        if folder.parent.name == cluster and (folder.name in hosts or folder.name == "env"):
            continue
        if folder.name == "env":
            continue
        pids = " ".join(_working_in(folder))
        other = folder.parent.name
        if pids:
            yield Leftover(f"data folder {folder}, processes {pids} in it", _in_use(other))
        else:
            yield Leftover(
                f"data folder {folder}", f"{_destroy(other)}, or by hand: rm -r {folder}"
            )
    for user in pwd.getpwall():
        owner = user.pw_gecos.removeprefix(USER_COMMENT)
        if user.pw_gecos.startswith(USER_COMMENT) and owner != cluster:
            yield Leftover(f"user {user.pw_name}", f"{_destroy(owner)}, or: userdel {user.pw_name}")


def _in_use(cluster: str) -> str:
    return f"nothing, if cluster {cluster} is in use; else {_destroy(cluster)}"


def _destroy(cluster: str) -> str:
    return f"`fab destroy --inventory FILE` with the inventory of cluster {cluster}"


def _folders(base: Path) -> list[Path]:
    """<base>/<cluster>/<host> of all clusters."""
    return [host for cluster in _inside(base) for host in _inside(cluster)]


def _inside(folder: Path) -> list[Path]:
    """The folders inside; none if it is not there, or is just being removed by its owner."""
    try:
        return [path for path in sorted(folder.iterdir()) if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _working_in(folder: Path) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{pid}/cwd")
        except OSError:  # it ended, or is not ours to see
            continue
        if f"{where}/".startswith(f"{folder}/"):
            found.append(pid)
    return found
