"""Time and identity on one machine: which boot this is, and which process a number means.

A deadline is kept in seconds since boot, which setting the clock does not move; a process is its
number and the moment it started, since numbers are used again.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def boot() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def since_boot() -> float:
    """Seconds, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def started(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The program's name comes second, in parentheses, and may contain anything.
    state, *rest = stat.rpartition(")")[2].split()
    return 0 if state in "ZX" else int(rest[18])


def kill(pid: int, start: int) -> bool:
    """SIGKILL exactly that process; False when it is gone, or the number now means another."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if started(pid) != start:
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
