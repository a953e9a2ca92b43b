"""Crash points: named places in the worker at which it can be made to die.

A worker killed at random dies mostly while it counts. The rare moments are the ones that a protocol
gets wrong, so each has a name, and dying there is one command. The order is a file, which the
worker reads at its start and at SIGUSR1. A crash point that is not armed costs a test of one
attribute. The worker dies by SIGKILL: no handler and no `finally` runs, as in a power cut.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

NAMES = (
    "after-claim",
    "while-counting",
    "before-commit",
    "between-commits",
    "after-first-ack",
    "before-ack-handled",
    "before-exit",
)


class CrashPoints:
    """One worker's crash points, armed by ``file``: {"at", "probability", "once", "seed"}."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._at: str | None = None
        self._probability = 1.0
        self._once = True
        self._random = random.Random()  # noqa: S311 - chance, not secrecy
        self.reload()

    def reload(self, *_: object) -> None:
        """Read the order again; also a signal handler. A bad order arms nothing, and is logged."""
        self._at = None
        try:
            order = json.loads(self._file.read_text())
            at = order["at"]
            if at not in NAMES:
                raise ValueError(f"no crash point {at!r}; there are {', '.join(NAMES)}")
            self._probability = float(order.get("probability", 1.0))
            self._once = bool(order.get("once", True))
            self._random = random.Random(order.get("seed"))  # noqa: S311
            self._at = at
            log.warning("crash point %s is armed", at)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s: %s", self._file, error)

    def armed(self, name: str) -> bool:
        return self._at == name

    def at(self, name: str) -> None:
        """Die here, if that is the order."""
        if self._at == name and self._random.random() < self._probability:
            if self._once:
                # First of all: the restarted worker must not find the order again.
                self._file.unlink(missing_ok=True)
            log.warning("crash point %s", name)
            os.kill(os.getpid(), signal.SIGKILL)

    def during(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, dying after the first of them if the order is while-counting."""
        for piece in pieces:
            yield piece
            self.at("while-counting")
