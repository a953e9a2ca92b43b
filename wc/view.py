"""A reader's running total of one replica: fold what is new, keep the sum.

A dot's delta never changes, so a dot once folded need not be read again: watching a job
costs only what is new since the last look.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from wc import bitmap, counting
from wc.batches import batches
from wc.store import JobStore


class View:
    """The merged counts of one job as one replica has them."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._folded: dict[str, bytearray] = {origin: bytearray() for origin in origins}
        self.tally = counting.Tally()

    def refresh(self, store: JobStore) -> int:
        """Fold the dots that are new on this replica; how many there were."""
        new = 0
        for origin, folded in self._folded.items():
            fresh = list(bitmap.members(bitmap.missing(bytes(folded), store.bitmap(origin))))
            # A dot without a delta: the replica rolled back since its bitmap was read.
            for deltas in batches(fresh, partial(store.deltas, origin)):
                for seq, delta in deltas:
                    self.tally.add(delta)
                    bitmap.add(folded, seq)
                new += len(deltas)
        return new
