"""cgroup v2: one hierarchy, `cpu.max`, and controllers that are handed down level by level.

A group may take limits only if each group above it has `+cpu` in cgroup.subtree_control, and,
the root apart, a group with that may hold no processes itself. Under systemd the base is our
unit's own group, delegated to us; supervisord, which systemd put there, is moved to a leaf first.
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
        # What is above a unit is systemd's business, and delegation has opened it for us.
        top = base if base.parent != self.root else self.root
        if path == top:
            return path
        chain = [one for one in reversed(path.parents) if one == top or top in one.parents]
        for above, below in zip(chain, [*chain[1:], path], strict=True):
            self._hand_down(above)
            try:
                self._mkdir(below)
            except OSError as error:
                raise GroupError(f"{below}: cannot be made: {error.strerror}") from error
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

    def _hand_down(self, path: Path) -> None:
        """Let groups below `path` have the cpu controller.

        Its own processes leave first. The kernel would take "+cpu" all the same, and make the
        group a threaded one, below which no other group may hold processes.
        """
        control, procs = path / "cgroup.subtree_control", path / "cgroup.procs"
        deadline = time.monotonic() + LEAVE_SECONDS
        while True:
            inhabited = path != self.root and bool(self._read(procs).split())
            handed_down = "cpu" in self._read(control).split()
            if handed_down and not inhabited:
                return
            # A threaded group is put right the other way round.
            step = "-cpu" if handed_down else "+cpu"
            try:
                if handed_down or not inhabited:
                    self._put(control, step)
                if inhabited:
                    self._evacuate(path)
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise GroupError(
                        f"{control}: cannot write {step!r}: {error.strerror}"
                    ) from error
                time.sleep(POLL_SECONDS)

    def _evacuate(self, path: Path) -> None:
        """Move the processes in `path` itself to a leaf: what they fork from now on is there."""
        self._mkdir(path / LEAF)
        for pid in self._read(path / "cgroup.procs").split():
            try:
                self._put(path / LEAF / "cgroup.procs", pid)
            except ProcessLookupError:  # it has ended
                continue
            except OSError as error:
                raise GroupError(f"{path / LEAF}: cannot take {pid}: {error.strerror}") from error


def offers_cpu(root: Path) -> bool:
    """Whether a mounted v2 hierarchy has the cpu controller."""
    try:
        return "cpu" in (root / "cgroup.controllers").read_text().split() and os.access(
            root, os.W_OK
        )
    except OSError:
        return False
