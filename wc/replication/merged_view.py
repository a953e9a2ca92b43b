"""A reader's running total of one replica: fold what is new, keep the sum.

A dot's delta never changes, so a dot once folded need not be read again: watching a job
costs only what is new since the last look. What was taken back since is subtracted. Where the
replica has folded dots into a base that this view has not seen, it begins again with the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from wc.backends.api import ResultStore
from wc.core import bitmap
from wc.core.delta_batches import batches
from wc.counts import kernel
from wc.crdt.dot_sets import DotSets

#: How often a refresh begins anew because the replica's base moved on meanwhile.
TRIES = 10
#: Deltas are added together, which takes half the time: about these bytes, and at most so many.
LOT_BYTES, LOT_DOTS = 32 << 20, 256


class View:
    """The merged counts of one job as one replica has them."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = tuple(origins)
        self._begin()

    def _begin(self) -> None:
        self.tally = kernel.new_tally()
        # By origin, as bitmaps: dots that were added, and those of them that were taken back.
        self._added = {origin: bytearray() for origin in self._origins}
        self._lifted = {origin: bytearray() for origin in self._origins}
        self._lot: list[tuple[str, int, bytes]] = []  # dots that are still to be added

    def refresh(self, store: ResultStore) -> int:
        """Fold what is new on this replica; how many dots."""
        new = 0
        self._lot.clear()  # fetched by a refresh that failed
        for _ in range(TRIES):
            tally = self.tally
            new += sum(self._refresh(store, origin) for origin in self._origins)
            self._add_lot()
            if self.tally is tally:  # not begun again, which forgets the origins before
                break
        return new

    def _refresh(self, store: ResultStore, origin: str) -> int:
        new = 0
        for _ in range(TRIES):
            held = store.dot_sets(origin)
            if not self._covers(origin, held):
                held = self._rebuild(store, origin)
            asked, found = self._fold(store, origin, held)
            new += found
            if asked == found:
                break
            self._add_lot()
            if store.dot_sets(origin).base == held.base:
                break  # what had no delta, a rollback took meanwhile
        return new

    def _fold(self, store: ResultStore, origin: str, held: DotSets) -> tuple[int, int]:
        """Add what is new, subtract what was taken back: dots that should be, and that were."""
        added, lifted = self._added[origin], self._lifted[origin]
        fresh = bitmap.difference(bitmap.difference(held.applied, bytes(added)), held.retracted)
        gone = bitmap.difference(bitmap.intersection([held.retracted, bytes(added)]), bytes(lifted))
        found = 0
        for deltas in batches(list(bitmap.members(fresh)), partial(store.deltas, origin)):
            self._lot += ((origin, seq, delta) for seq, delta in deltas)
            found += len(deltas)
            lot_bytes = sum(len(delta) for _, _, delta in self._lot)
            if lot_bytes >= LOT_BYTES or len(self._lot) >= LOT_DOTS:
                self._add_lot()
        for deltas in batches(list(bitmap.members(gone)), partial(store.contents, origin)):
            for seq, delta in deltas:
                self.tally.subtract(delta)
                bitmap.add(lifted, seq)
                found += 1
        return bitmap.count(fresh) + bitmap.count(gone), found

    def _add_lot(self) -> None:
        self.tally.add(*(delta for _, _, delta in self._lot))
        for origin, seq, _ in self._lot:
            bitmap.add(self._added[origin], seq)
        self._lot.clear()

    def _covers(self, origin: str, held: DotSets) -> bool:
        """Whether all that the base contains was added, and what it left out was not."""
        added, lifted = bytes(self._added[origin]), bytes(self._lifted[origin])
        inside = bitmap.difference(bitmap.first(held.through), held.excluded)
        if any(bitmap.difference(inside, added)):
            return False
        return not any(bitmap.intersection([bitmap.difference(added, lifted), held.excluded]))

    def _rebuild(self, store: ResultStore, origin: str) -> DotSets:
        """Put the origin's base in place of its dots: if there are any, by beginning again."""
        if any(self._added[origin]):
            self._begin()
        # The base may have moved on since the last look, so it is asked what it covers.
        held, base = store.based(origin)
        if base is not None:
            self.tally.add(base)
            self._added[origin] = bytearray(bitmap.first(held.through))
            self._lifted[origin] = bytearray(held.excluded)
        return held
