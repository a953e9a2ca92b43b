"""How often a driver looks at its job, and since when nothing has changed. Pure."""

from __future__ import annotations

from collections.abc import Hashable

from wc.crdt.status import JobStatus

#: Seconds between two polls: from the first to the second, each GROWTH times as long as the last.
SHORTEST, LONGEST, GROWTH = 0.02, 0.25, 1.5
#: Seconds until the next poll while another driver is about to have something.
SOON = 0.1
#: Back off after a slow fold: folding many deltas in one call costs half as much per delta. A fold
#: of SLOW_FOLD seconds is followed by a pause of BACK_OFF seconds.
SLOW_FOLD, BACK_OFF = 0.05, 0.4


class PollInterval:
    """``seconds`` to wait before the next poll: longer while nothing happens, and shorter towards
    the job's end, so that little is left to fold then and the end is seen at once."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._settled = False
        self.seconds = SHORTEST

    def update(self, status: JobStatus, fold_seconds: float, now: float) -> None:
        """After a poll that saw ``status`` and folded for so long."""
        self.seconds = (
            BACK_OFF if fold_seconds >= SLOW_FOLD else min(LONGEST, GROWTH * self.seconds)
        )
        total = sum(origin.total or 0 for origin in status.origins.values())
        if 0 < status.applied < total:
            remaining = (now - self._started) * (total - status.applied) / status.applied
            # The next poll begins early enough to be done halfway to the end.
            self.seconds = max(SHORTEST, min(self.seconds, (remaining - fold_seconds) / 2))
        if status.settled and not self._settled:
            self.seconds = SHORTEST  # all is counted: the other replicas will have it in a moment
        self._settled = status.settled

    def lengthen(self) -> None:
        """Nobody answered: wait long."""
        self.seconds = LONGEST

    def shorten(self) -> None:
        """Something is about to come: wait a little."""
        self.seconds = SOON


class StallTimer:
    """Tells when a value has not changed for ``seconds``, and then again after as long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._value: Hashable = None
        self._since = 0.0

    def expired(self, value: Hashable, now: float) -> bool:
        if value != self._value:
            self._value, self._since = value, now
            return False
        if now - self._since < self._seconds:
            return False
        self._since = now
        return True
