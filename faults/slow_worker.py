"""slow-worker: limits a worker to a share of one core, by the CPU quota of its control group.

The quota belongs to the group, so it stays when the worker is restarted. It ends with the fault.
"""

from __future__ import annotations

from faults.registry import Harm, fault
from faults.targets import Target


@fault(
    "slow-worker",
    needs="control groups with the cpu controller",
    ends="fab restore-worker",
)
def slow_worker(target: Target, percent: float) -> Harm:
    set_limit = target.tool("cgroups", "set", target.group)
    return Harm(
        text=f"limited to {percent:g} % of one core",
        before=target.tool("cgroups", "get", target.group),
        apply=f"{set_limit} {percent:g}",
        heal=f'{set_limit} "$FAULT_BEFORE"',
        inherit=True,
    )
