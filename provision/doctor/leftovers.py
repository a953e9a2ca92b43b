"""What faultline left on this machine that does not belong to the inventory at hand.

A leftover may be another cluster in use, so nothing is removed here: each comes with the command
that removes it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provision.host import namespaces
from provision.host.layout import user_comment
from provision.inventory.model import Inventory
from provision.inventory.schema import DEFAULT_DATA


@dataclass(frozen=True)
class Leftover:
    text: str
    fix: str


def leftovers(inventory: Inventory) -> Iterator[Leftover]:
    """Namespaces, data folders, their processes and users that are not the inventory's."""
    hosts = {host.name for host in inventory.hosts}
    expected = {inventory.switch_namespace, *map(inventory.namespace, inventory.hosts)}
    for name in namespaces.existing():
        if name not in expected:
            owner = name.rpartition("-")[0].removeprefix("fl-")
            pids = namespaces.pids([name])
            yield _leftover(f"namespace {name}", pids, owner, f"ip netns del {name}")
    for folder in _host_folders(Path(DEFAULT_DATA)):
        owner = folder.parent.name
        if owner != inventory.cluster.name or folder.name not in hosts:
            pids = _working_in(folder)
            yield _leftover(f"data folder {folder}", pids, owner, f"rm -r {folder}")
    comment = user_comment("")
    for user in pwd.getpwall():
        owner = user.pw_gecos.removeprefix(comment)
        if user.pw_gecos.startswith(comment) and owner != inventory.cluster.name:
            yield _leftover(f"user {user.pw_name}", [], owner, f"userdel {user.pw_name}")


def _leftover(text: str, pids: Sequence[int], cluster: str, by_hand: str) -> Leftover:
    destroy = f"`fab destroy --inventory FILE` with the inventory of cluster {cluster}"
    if pids:
        text = f"{text}, processes {' '.join(map(str, pids))} in it"
        return Leftover(text, f"nothing, if cluster {cluster} is in use; else {destroy}")
    return Leftover(text, f"{destroy}, or by hand: {by_hand}")


def _host_folders(base: Path) -> list[Path]:
    """<base>/<cluster>/<host> of all clusters."""
    hosts = [host for cluster in _folders(base) for host in _folders(cluster)]
    return [host for host in hosts if host.name != "env"]


def _folders(path: Path) -> list[Path]:
    """The folders inside; none if it is not there, or is just being removed by its owner."""
    try:
        return [inner for inner in sorted(path.iterdir()) if inner.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _working_in(folder: Path) -> list[int]:
    """Ids of the processes whose working directory is inside the folder."""
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            where = os.readlink(f"/proc/{pid}/cwd")
        except OSError:  # it ended, or belongs to somebody else
            continue
        if f"{where}/".startswith(f"{folder}/"):
            pids.append(int(pid))
    return pids
