"""What cgroup v1 and v2 have in common: names, membership, removal.

The few calls that change files (`_put`, `_mkdir`, `_rmdir`) are methods, so that a test can enforce
the kernel's rules in them.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

PERIOD_US = 100_000  # microseconds, the kernel's default: a limit is enforced 10 times a second
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
LEAVE_SECONDS = 10.0  # to wait for a killed process, which leaves its group after some time
POLL_SECONDS = 0.02


class Unusable(Exception):
    """This machine has no control groups for CPU time; the message says what is missing."""


class GroupError(Exception):
    """The kernel refused an operation on a group; the message names it."""


class Hierarchy(ABC):
    """The tree of groups below `root`, a mounted hierarchy with the cpu controller."""

    version = 0

    def __init__(self, root: Path) -> None:
        self.root = root

    @abstractmethod
    def create(self, group: str) -> Path:
        """Make the group, unless it exists, so that it can have a limit. Raises GroupError."""

    @abstractmethod
    def limit(self, group: str) -> float | None:
        """The limit in percent of one core; None without a limit, or without the group."""

    @abstractmethod
    def set_limit(self, group: str, percent: float | None) -> None:
        """Limit the group to `percent` of one core; None ends the limit. A missing group is made.

        Raises GroupError.
        """

    def base(self, cluster: str) -> Path:
        """The group above all groups of a cluster."""
        return self.root / f"faultline-{cluster}"

    def path(self, group: str) -> Path:
        """The group's folder. Raises GroupError for a name that could be a path elsewhere."""
        if not NAME.fullmatch(group):
            raise GroupError(f"group {group!r}: allowed are names of a-z, 0-9, _ . - joined by /")
        cluster, _, rest = group.partition("/")
        return self.base(cluster) / rest if rest else self.base(cluster)

    def enter(self, group: str, pid: int) -> None:
        """Put a process into the group; a missing group is made. Later children are in it too.

        Raises GroupError.
        """
        self._write(self.create(group) / "cgroup.procs", str(pid))

    def pids(self, group: str) -> list[int]:
        """Ids of the processes in the group; [] without the group."""
        try:
            return [int(line) for line in self._read(self.path(group) / "cgroup.procs").split()]
        except FileNotFoundError:
            return []

    def throttled(self, group: str) -> int:
        """The number of periods in which the group used up its quota, since it was made."""
        rows = (line.split() for line in self._read(self.path(group) / "cpu.stat").splitlines())
        return next((int(row[1]) for row in rows if row[0] == "nr_throttled"), 0)

    def remove(self, group: str) -> list[Path]:
        """Remove the group and those below it, leaves first, and a base that is empty then.

        Returns what was removed. Raises GroupError when a process stays in one of them.
        """
        top = self.path(group)
        removed = [path for path in self._below(top) if self._remove(path, LEAVE_SECONDS)]
        base = self.base(group.partition("/")[0])
        if base.name.startswith("faultline-") and base != top and not self._children(base):
            removed += [base] if self._remove(base, 0) else []
        return removed

    def rehearse(self, cluster: str) -> None:
        """Limit a process of our own in a group of a cluster that there is not, and remove it.

        Raises GroupError where workers could not be limited.
        """
        group = f"{cluster}/rehearsal"
        idle = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        try:
            self.enter(group, idle.pid)
            self.set_limit(group, 50)
        finally:
            idle.communicate()
            self.remove(cluster)

    def _below(self, path: Path) -> list[Path]:
        return [*(below for child in self._children(path) for below in self._below(child)), path]

    def _remove(self, path: Path, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._rmdir(path)
                return True
            except FileNotFoundError:
                return False
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise GroupError(f"{path}: {error.strerror}") from error
                if time.monotonic() >= deadline:
                    if seconds == 0:  # another host of the cluster has just made a group in it
                        return False
                    raise GroupError(
                        f"{path}: still in use: end the processes in its cgroup.procs"
                    ) from error
                time.sleep(POLL_SECONDS)

    def _children(self, path: Path) -> list[Path]:
        try:
            return sorted(Path(entry.path) for entry in os.scandir(path) if entry.is_dir())
        except FileNotFoundError:
            return []

    def _read(self, path: Path) -> str:
        return path.read_text()

    def _make(self, path: Path) -> None:
        try:
            self._mkdir(path)
        except OSError as error:
            raise GroupError(f"{path}: cannot be made: {error.strerror}") from error

    def _write(self, path: Path, text: str) -> None:
        """Write the text in one call, as the kernel demands. Raises GroupError."""
        try:
            self._put(path, text)
        except OSError as error:
            raise GroupError(f"{path}: cannot write {text!r}: {error.strerror}") from error

    def _put(self, path: Path, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def _mkdir(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    def _rmdir(self, path: Path) -> None:
        path.rmdir()


def quota_us(percent: float) -> int:
    """The microseconds of CPU time in each period that are `percent` of one core."""
    return round(percent * PERIOD_US / 100)


def percent_of(quota: int, period: int) -> float:
    return 100 * quota / period
