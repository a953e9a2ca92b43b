"""A driver looks at its jobs as soon as the doorbell rings, and in the end also without a ring."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from wc.jobs.doorbell import NAME, Doorbell, ring

#: Much longer than anything here takes.
LONG = 60.0


def waited(doorbell: Doorbell, seconds: float) -> float:
    begun = time.monotonic()
    doorbell.wait(seconds)
    return time.monotonic() - begun


def test_a_ring_ends_the_waiting(tmp_path: Path) -> None:
    doorbell = Doorbell(tmp_path)
    threading.Timer(0.05, ring, (tmp_path,)).start()
    assert waited(doorbell, LONG) < LONG
    doorbell.close()


def test_rings_before_the_waiting_are_not_lost_and_count_once(tmp_path: Path) -> None:
    doorbell = Doorbell(tmp_path)
    for _ in range(3):
        ring(tmp_path)
    assert waited(doorbell, LONG) < LONG
    assert waited(doorbell, 0.05) >= 0.05
    doorbell.close()


def test_nobody_need_hear(tmp_path: Path) -> None:
    ring(tmp_path)  # no driver was ever there
    Doorbell(tmp_path).close()
    ring(tmp_path)  # it has gone
    doorbell = Doorbell(tmp_path)
    assert waited(doorbell, 0.05) >= 0.05
    for _ in range(100_000):  # more than the pipe takes
        ring(tmp_path)
    doorbell.close()


def test_what_is_in_the_way_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("not a pipe")
    ring(tmp_path)
    doorbell = Doorbell(tmp_path)
    ring(tmp_path)
    assert waited(doorbell, LONG) < LONG
    doorbell.close()
