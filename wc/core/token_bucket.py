"""How much may be moved now: a token bucket in bytes. Pure: the clock is an argument.

The bucket fills at a constant rate up to its burst, and what is moved is taken out. Nobody waits
for it: who finds it empty leaves the work for later. How large a delta is shows only when it is
there, so the last one may overdraw the bucket; nothing is left then until the debt is paid, and
the rate holds on average. So also what is larger than the burst gets through in the end.
(For the token bucket: RFC 2697, A Single Rate Three Color Marker.)
"""

from __future__ import annotations

from collections.abc import Callable


class Limiter:
    """A bucket that is full at first. ``rate`` in bytes per second, ``burst`` in bytes, ``clock``
    gives seconds and never goes back. ValueError unless rate and burst are positive."""

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
        """Note that ``count`` bytes were moved. May be more than were left."""
        self._fill()
        self._level -= count

    def shut(self) -> None:
        """Nothing may be moved any more: whoever works with this limiter comes to an end."""
        self._shut = True

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
