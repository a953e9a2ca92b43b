"""Time on one machine: which boot this is, and how long ago that was.

A deadline is kept in seconds since boot, which setting the clock does not move.
"""

from __future__ import annotations

import time
from pathlib import Path


def boot() -> str:
    """Names this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def since_boot() -> float:
    """Seconds, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
