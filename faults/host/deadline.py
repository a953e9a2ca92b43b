"""A process that waits for a fault's deadline and ends it.

It belongs to nobody: a session of its own, no standard streams, the machine's init as its parent,
nothing of ours as its working directory. So it survives the command that started it, the SSH
connection, and supervisord; and as it carries the code and the command in its memory, it does not
need the files it came from either.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from faults.host import clock, processes
from faults.host.records import Record, Records, Timer

LONGEST_SLEEP_SECONDS = 1.0  # a machine that slept is noticed this soon
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)  # the last one again and again


def start(records: Records, record: Record, mend: Callable[[], None]) -> None:
    """Start the timer; when this returns, it runs and its file says who it is."""
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _wait(records, record, mend, done)
        finally:
            os._exit(0)
    os.close(done)
    os.waitpid(child, 0)
    try:
        if not os.read(ready, 1):
            records.remove(record.id)
            raise OSError(f"the timer of {record.id} did not start: nothing was broken")
    finally:
        os.close(ready)


def end(timer: Timer | None) -> None:
    """End a timer, unless it is this very process."""
    if timer is not None and timer.boot == clock.boot() and timer.pid != os.getpid():
        processes.send(signal.SIGKILL, timer.pid, timer.start)


def _wait(records: Records, record: Record, mend: Callable[[], None], done: int) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    # Also the lock of the command that started us, which a second holder would keep alive.
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != done:
            _close(descriptor)
    pid = os.getpid()
    records.write_timer(record.id, Timer(pid, processes.state(pid)[1], record.boot))
    os.write(done, b"1")
    os.close(done)
    while (left := record.until - clock.since_boot()) > 0:
        if not records.exists(record.id):
            return
        time.sleep(min(left, LONGEST_SLEEP_SECONDS))
    attempt = 0
    while records.exists(record.id):
        try:
            mend()
        except Exception:  # whatever it was, the fault is still there
            time.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # one was the listing's own
        os.close(descriptor)
