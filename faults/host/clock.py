"""Time on one machine: the id of this boot, and the seconds since.

Deadlines are in seconds since boot, so that setting the machine's clock does not move them.
"""

from __future__ import annotations

import time
from pathlib import Path


def boot() -> str:
    """The kernel's id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def since_boot() -> float:
    """Seconds, including those the machine was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
