"""A circuit breaker: a failed replica is left alone until a probe has found it well again.

(Nygard, Release It!, 2007.) The probe runs in the background, so no work waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Seconds between two probes: doubling from the first to the second.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Breaker:
    """Opened by ``failed``, closed once ``probe``, which says what is wrong, has returned "".
    ``name`` is the replica's."""

    def __init__(self, probe: Callable[[], str], name: str) -> None:
        self._probe = probe
        self._name = name
        self._open = threading.Event()
        self._reason = ""
        self._opened_at = 0.0
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether calls may go through."""
        return not self._open.is_set()

    @property
    def reason(self) -> str:
        """Why it is open: what the failure or the latest probe said. "" while it is closed."""
        return self._reason if self._open.is_set() else ""

    def open_for(self) -> float:
        """Seconds since it was opened; 0 while it is closed."""
        return time.monotonic() - self._opened_at if self._open.is_set() else 0.0

    def failed(self, reason: str) -> None:
        """Open the breaker and begin to probe."""
        with self._lock:
            if self._open.is_set() or self._ended.is_set():
                return
            self._opened_at = time.monotonic()
            self._reason = reason
            self._open.set()
            threading.Thread(target=self._watch, name=f"probe-{self._name}", daemon=True).start()

    def end(self) -> None:
        """Probe no more."""
        self._ended.set()

    def _watch(self) -> None:
        pause = SHORTEST_PAUSE
        while not self._ended.wait(pause):
            if not (reason := self._probe()):
                self._open.clear()
                return
            self._reason = reason
            pause = min(LONGEST_PAUSE, pause * 2)
