"""cgroup v2: one hierarchy, `cpu.max`, and controllers that are enabled level by level.

A group can have a limit only if each group above it has `cpu` in cgroup.subtree_control. A group
with that must have no processes of its own, except the root. Under systemd the base is the group
of our unit, delegated to us; supervisord, which systemd put there, is moved to a leaf first.
Source: the kernel's Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

from cgroups.hierarchy import (
    LEAVE_SECONDS,
    PERIOD_US,
    POLL_SECONDS,
    GroupError,
    Hierarchy,
    percent_of,
    quota_us,
)

LEAF = "supervisord"


class V2(Hierarchy):
    version = 2

    def base(self, cluster: str) -> Path:
        unit = self.root / "system.slice" / f"faultline-{cluster}.service"
        return unit if unit.is_dir() else super().base(cluster)

    def create(self, group: str) -> Path:
        path, base = self.path(group), self.base(group.partition("/")[0])
        # Above the unit systemd enables controllers, as part of the delegation.
        top = base if base.parent != self.root else self.root
        if path == top:
            return path
        chain = [one for one in reversed(path.parents) if one == top or top in one.parents]
        for above, below in zip(chain, [*chain[1:], path], strict=True):
            self._enable_cpu_below(above)
            self._make(below)
        return path

    def limit(self, group: str) -> float | None:
        try:
            quota, period = self._read(self.path(group) / "cpu.max").split()
        except FileNotFoundError:
            return None
        return None if quota == "max" else percent_of(int(quota), int(period))

    def set_limit(self, group: str, percent: float | None) -> None:
        quota = "max" if percent is None else str(quota_us(percent))
        self._write(self.create(group) / "cpu.max", f"{quota} {PERIOD_US}")

    def _enable_cpu_below(self, path: Path) -> None:
        """Enable the cpu controller for the groups below `path`.

        The group's own processes are moved first. The kernel would accept "+cpu" with them, but
        make the group a threaded one, and then no group below it may have processes.
        """
        self._require_real_root(path)
        control, procs = path / "cgroup.subtree_control", path / "cgroup.procs"
        deadline = time.monotonic() + LEAVE_SECONDS
        while True:
            populated = path != self.root and bool(self._read(procs).split())
            enabled = "cpu" in self._read(control).split()
            if enabled and not populated:
                return
            # A threaded group is repaired by "-cpu", moving its processes, and "+cpu" again.
            step = "-cpu" if enabled else "+cpu"
            try:
                if enabled or not populated:
                    self._put(control, step)
                if populated:
                    self._move_to_leaf(path)
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise GroupError(
                        f"{control}: cannot write {step!r}: {error.strerror}"
                    ) from error
                time.sleep(POLL_SECONDS)

    def _require_real_root(self, path: Path) -> None:
        """Raise GroupError where `path` is a container's group that only looks like the root.

        In its own namespace of groups a container sees its group as the root of the hierarchy. But
        the kernel's rule holds for it: with processes in it, none below it can have any. The
        processes are not ours to move.
        """
        only_looks = path == self.root and (path / "cgroup.type").exists()
        if only_looks and self._read(path / "cgroup.procs").split():
            raise GroupError(
                f"{path} is the control group of a container that has processes in it, so no group"
                " below it can limit any: start the container with --cgroupns=host, or move them"
                f" first: mkdir {path}/init; for p in $(cat {path}/cgroup.procs); do echo $p"
                f" >{path}/init/cgroup.procs; done"
            )

    def _move_to_leaf(self, path: Path) -> None:
        """Move the processes in `path` itself to a leaf, where their later children are too."""
        self._mkdir(path / LEAF)
        for pid in self._read(path / "cgroup.procs").split():
            try:
                self._put(path / LEAF / "cgroup.procs", pid)
            except ProcessLookupError:  # it has ended
                continue
            except OSError as error:
                raise GroupError(f"{path / LEAF}: cannot take {pid}: {error.strerror}") from error


def has_cpu_controller(root: Path) -> bool:
    """Whether a mounted v2 hierarchy has the cpu controller, and we may write to it."""
    try:
        return "cpu" in (root / "cgroup.controllers").read_text().split() and os.access(
            root, os.W_OK
        )
    except OSError:
        return False
