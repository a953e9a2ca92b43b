"""Finds the cgroup hierarchy with the cpu controller: on hybrid machines that is v1."""

from __future__ import annotations

from pathlib import Path

from cgroups.hierarchy import Hierarchy, Unusable

MOUNTS = Path("/proc/self/mounts")


def hierarchy(mounts: Path = MOUNTS) -> Hierarchy:
    """The hierarchy with the cpu controller. Raises Unusable."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    for _device, where, kind, options, *_ in rows:
        if kind == "cgroup" and "cpu" in options.split(","):
            from cgroups.v1 import V1  # noqa: PLC0415 - a worker's start imports one version only

            return V1(Path(where))
    from cgroups.v2 import V2, has_cpu_controller  # noqa: PLC0415

    for _device, where, kind, _options, *_ in rows:
        if kind == "cgroup2" and has_cpu_controller(Path(where)):
            return V2(Path(where))
    raise Unusable(
        "no writable cgroup hierarchy with the cpu controller is mounted: enable it at boot"
    )
