"""Memory of several processes together: the greatest sum of their shares, sampled.

A process' share (PSS) counts a page that n processes share as 1/n of it in each, so a sum counts
no page twice. Where PSS cannot be read, it is the unshared memory (USS), or the resident (RSS).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

#: Seconds between two samples, at least. A sample of a process with 1 GB takes some 10 ms; what is
#: measured is left at least this share of the time undisturbed.
SAMPLE_SECONDS, UNDISTURBED = 0.1, 0.95


@dataclass
class Peak:
    """The greatest sum so far, bytes."""

    size: int = 0


def share(process: psutil.Process) -> int:
    """Bytes; 0 for a process that has ended."""
    with suppress(psutil.NoSuchProcess, psutil.ZombieProcess, FileNotFoundError):
        try:
            found = process.memory_full_info()
        except psutil.AccessDenied:
            found = process.memory_info()
        for kind in ("pss", "uss", "rss"):
            if getattr(found, kind, 0):
                return int(getattr(found, kind))
    return 0


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it; none if it has ended."""
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    return []


def processes_naming(*texts: str) -> list[psutil.Process]:
    """Processes with one of these in their command line, but for this one and those above it."""
    above = {process.pid for process in [psutil.Process(), *psutil.Process().parents()]}
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if process.pid not in above and any(text in words for text in texts):
                found.append(process)
    return found


def total(processes: Iterable[psutil.Process]) -> int:
    return sum(map(share, processes))


@contextmanager
def sample(processes: Callable[[], Iterable[psutil.Process]]) -> Iterator[Peak]:
    """Sample what ``processes`` gives, until the end of the block."""
    peak, done = Peak(), threading.Event()

    def run() -> None:
        while True:
            begun = time.perf_counter()
            peak.size = max(peak.size, total(processes()))
            took = time.perf_counter() - begun
            if done.wait(max(SAMPLE_SECONDS, took * UNDISTURBED / (1 - UNDISTURBED))):
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
