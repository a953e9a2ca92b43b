"""How often a driver looks at its job, and since when nothing has changed. Pure."""

from __future__ import annotations

from collections.abc import Hashable

from wc.crdt.status import JobStatus

#: Seconds between two looks: doubling from the first to the second.
SHORTEST, LONGEST = 0.02, 0.25
#: Seconds until the next look for what another driver is about to have.
SOON = 0.1
#: Folding took so many seconds, or more: then so many until the next look, as many deltas at once
#: take half the time.
MUCH, GATHERING = 0.05, 0.4


class Pace:
    """How long to rest after a look: the longer the less there is to do, and less towards the
    job's end, so that what is then left to fold is little and the end is seen at once."""

    def __init__(self, begun: float) -> None:
        self._begun = begun
        self.rest = SHORTEST

    def look(self, status: JobStatus, folding: float, now: float) -> None:
        """After a look that saw ``status`` and folded for so many seconds."""
        self.rest = GATHERING if folding >= MUCH else min(LONGEST, 2 * self.rest)
        total = sum(origin.total or 0 for origin in status.origins.values())
        if 0 < status.applied < total:
            to_come = (now - self._begun) * (total - status.applied) / status.applied
            # The next look begins early enough to be done halfway to the end.
            self.rest = max(SHORTEST, min(self.rest, (to_come - folding) / 2))

    def wait(self) -> None:
        """The next rest is a long one: nobody answered."""
        self.rest = LONGEST

    def soon(self) -> None:
        """The next rest is a short one: something is about to come."""
        self.rest = SOON


class Stillness:
    """Whether something has stayed the same for so many seconds, which then begin anew."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: Hashable = None
        self._since = 0.0

    def lasts(self, seen: Hashable, now: float) -> bool:
        if seen != self._seen:
            self._seen, self._since = seen, now
            return False
        if now - self._since < self._seconds:
            return False
        self._since = now
        return True
