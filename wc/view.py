"""A reader's running total of one replica: fold what is new, keep the sum.

A dot's delta never changes, so a dot once folded need not be read again: watching a job
costs only what is new since the last look.
"""

from __future__ import annotations

from collections.abc import Sequence

from wc import bitmap, counting
from wc.store import JobStore

#: Deltas fetched at once; memory while folding follows it.
BATCH_DOTS = 32


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
            for start in range(0, len(fresh), BATCH_DOTS):
                seqs = fresh[start : start + BATCH_DOTS]
                for seq, delta in zip(seqs, store.deltas(origin, seqs), strict=True):
                    if delta is not None:  # else the replica rolled back since the bitmap was read
                        self.tally.add(delta)
                        bitmap.add(folded, seq)
                        new += 1
        return new
