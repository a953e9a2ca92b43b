"""A fault's timer: a process that waits for the deadline, and then ends the fault.

It is a daemon: a session of its own, no standard streams, init as its parent, / as its working
directory. So it survives the command that started it, the SSH connection, and supervisord. Its code
and the healing command are in its memory, so it also survives the removal of its files.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from faults.host import clock, processes
from faults.host.records import Record, Records, Timer

LONGEST_SLEEP_SECONDS = 1.0  # after a suspension of the machine, the deadline is checked this soon
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)  # between attempts to heal; the last one repeats


def start(records: Records, record: Record, heal: Callable[[], None]) -> None:
    """Start the timer. When this returns, it runs, and its file has its process id."""
    ready, done = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _wait(records, record, heal, done)
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
    """End a timer, unless it is this process itself."""
    if timer is not None and timer.boot == clock.boot() and timer.pid != os.getpid():
        processes.send(signal.SIGKILL, timer.pid, timer.start)


def _wait(records: Records, record: Record, heal: Callable[[], None], done: int) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    # Also the descriptor of the lock: the command that started us could not release it otherwise.
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
            heal()
        except Exception:  # whatever went wrong, the fault is still in force
            time.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the descriptor of listdir itself is closed already
        os.close(descriptor)
