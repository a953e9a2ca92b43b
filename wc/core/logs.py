"""The log of a program that stays: a warning that repeats itself is logged now and then only."""

from __future__ import annotations

import logging
import time

#: Seconds for which the same warning or error is not logged again.
QUIET_SECONDS = 300.0
#: How many different ones are remembered.
REMEMBERED = 1000


class RepeatFilter(logging.Filter):
    """Drops a warning or error that was logged word for word in the last QUIET_SECONDS."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        text, now = record.getMessage(), time.monotonic()
        if now - self._logged.get(text, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        if len(self._logged) >= REMEMBERED:
            self._logged.clear()
        self._logged[text] = now
        return True


def start() -> None:
    """Log to standard error, with time and level."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger().handlers[0].addFilter(RepeatFilter())
