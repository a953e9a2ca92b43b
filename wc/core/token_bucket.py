"""A token bucket: it limits bytes per second, with a burst. Pure: the clock is an argument.

The bucket fills at a constant rate up to its burst, and bytes that were moved are taken out.
Callers do not wait for it: while it is empty they leave the work for later. The size of a delta is
known only after it was fetched, so the last one may overdraw the bucket. Then nothing is left until
the debt is paid, so the rate holds on average, and a delta larger than the burst gets through in
the end. (RFC 2697, A Single Rate Three Color Marker, describes the token bucket.)
"""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """A bucket that is full at first.

    ``rate`` is in bytes per second, ``burst`` in bytes; ``clock`` returns seconds and is monotonic.
    Raises ValueError unless rate and burst are positive.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(
                f"a rate of {rate:g} bytes per second with a burst of {burst:g} bytes: "
                "allowed are a rate above 0 and a burst of at least 1"
            )
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = burst
        self._at = clock()
        self._shut = False

    def left(self) -> int:
        """Bytes that may be moved now; 0 while the bucket is empty or overdrawn."""
        self._fill()
        return 0 if self._shut else max(0, int(self._level))

    def take(self, count: int) -> None:
        """Take out ``count`` bytes that were moved; they may be more than were left."""
        self._fill()
        self._level -= count

    def shut(self) -> None:
        """From now on nothing is left, so that all who use this bucket come to an end."""
        self._shut = True

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
