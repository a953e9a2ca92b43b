"""Signals that never reach the wrong process.

Process ids are reused, so a process is identified by its id and its start time; and a pidfd makes
sure that it is the same process when the signal is sent.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

EFFECT_SECONDS = 30.0  # how long the effect of a signal is waited for
POLL_SECONDS = 0.005
GONE = "ZX"


def state(pid: int) -> tuple[str, int]:
    """The kernel's letter for its state, and when it started in clock ticks since boot.

    ("X", 0) when there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "X", 0
    # The second field is the program's name in parentheses, which may contain anything.
    letter, *rest = stat.rpartition(")")[2].split()
    return letter, int(rest[18])


def alive(pid: int, start: int) -> bool:
    letter, started = state(pid)
    return letter not in GONE and started == start


def send(number: signal.Signals, pid: int, start: int) -> bool:
    """Signal exactly that process; False when it is gone, or its id is another's now.

    For STOP and KILL waits until the process has stopped, or is gone. Raises TimeoutError.
    """
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not alive(pid, start):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    states = {signal.SIGSTOP: "Tt" + GONE, signal.SIGKILL: GONE}.get(number, "")
    deadline = time.monotonic() + EFFECT_SECONDS
    while states and state(pid)[1] == start and state(pid)[0] not in states:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{number.name} had no effect on process {pid}")
        time.sleep(POLL_SECONDS)
    return True
