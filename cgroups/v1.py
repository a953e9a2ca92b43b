"""cgroup v1: the cpu hierarchy, and a quota of microseconds in each period."""

from __future__ import annotations

from pathlib import Path

from cgroups.hierarchy import PERIOD_US, Hierarchy, percent_of, quota_us

QUOTA, PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"
NO_QUOTA = -1


class V1(Hierarchy):
    version = 1

    def create(self, group: str) -> Path:
        path = self.path(group)
        for one in reversed([path, *path.parents]):
            if one.is_relative_to(self.root) and not one.exists():
                self._make(one)
        return path

    def limit(self, group: str) -> float | None:
        path = self.path(group)
        try:
            quota = int(self._read(path / QUOTA))
            period = int(self._read(path / PERIOD))
        except FileNotFoundError:
            return None
        return None if quota < 0 else percent_of(quota, period)

    def set_limit(self, group: str, percent: float | None) -> None:
        path = self.create(group)
        if percent is None:
            self._write(path / QUOTA, str(NO_QUOTA))
            return
        self._write(path / PERIOD, str(PERIOD_US))
        self._write(path / QUOTA, str(quota_us(percent)))
