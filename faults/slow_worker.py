"""slow-worker: limits a worker to a share of one core, by the CPU quota of its control group.

The quota belongs to the group, so it stays when the worker is restarted. It ends with the fault.
"""

from __future__ import annotations

import json
from typing import Any

from faults.console import Refused
from faults.registry import Harm, fault
from faults.targets import Target
from provision.connect.contract import Connector

#: The kernel grants CPU time in slices, so a little more than the limit is measured now and then:
#: a factor, and percentage points.
TOLERANCE, TOLERANCE_POINTS = 1.15, 3.0


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


def share(connector: Connector, target: Target) -> float:
    """The CPU time that the worker's group gets now, in percent of one core, as `measure`."""
    probed = json.loads(connector.run(target.tool("cgroups", "probe", target.group)).stdout)
    return float(probed["share"])


def part(now: float, percent: float, most: float) -> float:
    """`percent` of what a worker gets `now`, as a limit: at least 1 percent of one core, the least
    that a group can have, and at most `most`."""
    return round(min(most, max(1.0, now * percent / 100)), 1)


def measure(connector: Connector, target: Target) -> dict[str, Any]:
    """The CPU time that the worker's group gets, measured with a load inside it. Raises Refused."""
    pid = connector.run(target.pid, check=False).stdout.strip()
    probed = json.loads(connector.run(target.tool("cgroups", "probe", target.group)).stdout)
    seen = {
        "percent": round(probed["share"], 1),
        "worker_percent": round(probed["others"], 1),
        "seconds": round(probed["seconds"], 2),
        "limit": probed["limit"],
        "throttled": probed["throttled"],
    }
    limit = probed["limit"]
    if limit is None or probed["share"] > limit * TOLERANCE + TOLERANCE_POINTS:
        raise Refused(f"the limit {limit} has no effect: {in_words(seen)} was measured")
    outside = pid.isdecimal() and int(pid) > 0 and int(pid) not in probed["pids"]
    # If it is another process now, the worker was restarted in between.
    if outside and connector.run(target.pid, check=False).stdout.strip() == pid:
        raise Refused(
            "runs outside its control group, so nothing slows it down:"
            f" fab logs --host {target.host.name} --process {target.name} says why"
        )
    return seen


def in_words(seen: dict[str, Any]) -> str:
    throttled = (
        f"throttled {seen['throttled']} time{'' if seen['throttled'] == 1 else 's'}"
        if seen["throttled"]
        else "never throttled: the machine is too busy to give it more"
    )
    return (
        f"{seen['percent']:g} % of one core in {seen['seconds']:g} s, with a load beside the"
        f" worker, whose own share was {seen['worker_percent']:g} %; {throttled}"
    )
