"""Which hierarchy this machine has for CPU time. On hybrid machines v1 has the cpu controller."""

from __future__ import annotations

from pathlib import Path

from cgroups.hierarchy import Hierarchy, Unusable

MOUNTS = Path("/proc/self/mounts")


def hierarchy(mounts: Path = MOUNTS) -> Hierarchy:
    """The hierarchy with the cpu controller. Raises Unusable."""
    rows = [line.split() for line in mounts.read_text().splitlines()]
    for _device, where, kind, options, *_ in rows:
        if kind == "cgroup" and "cpu" in options.split(","):
            from cgroups.v1 import V1  # noqa: PLC0415 - a worker's start pays for one version only

            return V1(Path(where))
    from cgroups.v2 import V2, offers_cpu  # noqa: PLC0415

    for _device, where, kind, _options, *_ in rows:
        if kind == "cgroup2" and offers_cpu(Path(where)):
            return V2(Path(where))
    raise Unusable(
        "no writable cgroup hierarchy with the cpu controller is mounted: enable it at boot"
        " (`fab doctor` shows what there is)"
    )
