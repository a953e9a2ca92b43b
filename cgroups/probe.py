"""Measures the CPU time that a group gets, as a share of the clock's.

An idle worker uses none, so the probe adds a load of its own: as many busy processes (spinners) in
the group as the limit allows cores. The limit is for the group, so the share is the sum over all
its processes; a busy worker leaves the spinners less.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass

import psutil

from cgroups.hierarchy import Hierarchy

SETTLE_SECONDS = 0.2  # in its first periods a new process gets another share than later
SPINNER_LIFE_SECONDS = 5.0  # a spinner ends so long after the measurement, even if we are killed


@dataclass(frozen=True)
class Measurement:
    """`share` and `others` in percent of one core: the whole group, and the group without spinners.

    `throttled` counts periods in which the group used up its quota: 0 with a limit means that the
    machine was too busy to give the group its quota. `pids` are the group's without spinners.
    """

    seconds: float
    share: float
    others: float
    limit: float | None
    throttled: int
    pids: list[int]


def probe(tree: Hierarchy, group: str, seconds: float = 1.0) -> Measurement:
    """Measure for `seconds` by the clock. Raises GroupError."""
    cores = os.cpu_count() or 1
    limit = tree.limit(group)
    count = cores if limit is None else min(cores, math.ceil(limit / 100))
    present = tree.pids(group)
    spinners = [_spinner(tree, group, seconds) for _ in range(count)]
    try:
        time.sleep(SETTLE_SECONDS)
        others = [pid for pid in tree.pids(group) if pid not in spinners]
        throttled = tree.throttled(group)
        started, before = time.monotonic(), [_used(pids) for pids in (spinners, others)]
        time.sleep(seconds)
        passed, after = time.monotonic() - started, [_used(pids) for pids in (spinners, others)]
        throttled = tree.throttled(group) - throttled
    finally:
        for pid in spinners:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    spun, worked = (
        # The CPU seconds of a process that has ended are lost.
        sum(max(0.0, end.get(pid, 0.0) - used) for pid, used in begin.items()) / passed * 100
        for begin, end in zip(before, after, strict=True)
    )
    return Measurement(passed, spun + worked, worked, limit, throttled, present)


def _used(pids: list[int]) -> dict[int, float]:
    """CPU seconds used so far, by process id; processes that have ended are left out."""
    used = {}
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        used[pid] = times.user + times.system
    return used


def _spinner(tree: Hierarchy, group: str, seconds: float) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        tree.enter(group, os.getpid())
        end = time.monotonic() + SETTLE_SECONDS + seconds + SPINNER_LIFE_SECONDS
        while time.monotonic() < end:
            pass
    finally:
        os._exit(0)
