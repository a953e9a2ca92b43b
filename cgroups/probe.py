"""Measure what a group gets: a spinning child inside it, CPU seconds against the clock.

An idle worker shows nothing, so the probe brings its own load: as many spinners as cores the limit
could fill. The group's share is what all its processes used together, for the limit is theirs
together; a worker at work leaves the spinner less.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass

import psutil

from cgroups.hierarchy import Hierarchy

SETTLE_SECONDS = 0.2  # the first period of a new process is not yet like the others
SPINNER_LIFE_SECONDS = 5.0  # beyond the measurement: it ends even if we are killed


@dataclass(frozen=True)
class Measured:
    """`share` and `others` in percent of one core: the whole group, and it without the spinners.

    `throttled` counts periods in which the limit held the group back. 0 with a limit means that the
    machine was too busy to give the group even that much.
    """

    seconds: float
    share: float
    others: float
    limit: float | None
    throttled: int
    pids: list[int]


def probe(tree: Hierarchy, group: str, seconds: float = 1.0) -> Measured:
    """Measure for `seconds` of wall time. Raises GroupError."""
    cores = os.cpu_count() or 1
    limit = tree.limit(group)
    count = cores if limit is None else min(cores, math.ceil(limit / 100))
    present = tree.pids(group)
    spinners = [_spinner(tree, group, seconds) for _ in range(count)]
    try:
        time.sleep(SETTLE_SECONDS)
        others = [pid for pid in tree.pids(group) if pid not in spinners]
        waited = tree.throttled(group)
        started, before = time.monotonic(), [_used(pids) for pids in (spinners, others)]
        time.sleep(seconds)
        passed, after = time.monotonic() - started, [_used(pids) for pids in (spinners, others)]
        waited = tree.throttled(group) - waited
    finally:
        for pid in spinners:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    spun, worked = (
        # A process that ended meanwhile takes its seconds with it.
        sum(max(0.0, end.get(pid, 0.0) - used) for pid, used in begin.items()) / passed * 100
        for begin, end in zip(before, after, strict=True)
    )
    return Measured(passed, spun + worked, worked, limit, waited, present)


def _used(pids: list[int]) -> dict[int, float]:
    """CPU seconds so far, by process; those that are gone are left out."""
    found = {}
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[pid] = times.user + times.system
    return found


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
