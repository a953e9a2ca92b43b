"""A reader's running total of one replica: a refresh folds what is new.

A dot's delta never changes, so a dot once folded need not be read again: following a job costs only
what is new since the last refresh. What was retracted since is subtracted. Where the replica has
folded dots into a base that this view has not seen, the view begins again with the base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Generic, Protocol, TypeVar

from wc.backends.api import ResultStore
from wc.core import bitmap
from wc.core.delta_batches import batches
from wc.counts import kernel
from wc.counts.delta import DeltaError
from wc.counts.kernel import Tally
from wc.counts.lookup import Lookup
from wc.crdt.dot_sets import DotSets

#: How often a refresh may begin anew because the replica's base moved on meanwhile.
TRIES = 10
#: Adding many deltas in one call takes half the time: a batch is about these bytes, and at most so
#: many deltas.
BATCH_BYTES, BATCH_DOTS = 32 << 20, 256


class Sum(Protocol):
    """What deltas are added to: a tally, or the counts of some words (wc/counts/lookup.py)."""

    def add(self, *packed: bytes) -> None: ...

    def subtract(self, packed: bytes, /) -> None: ...


T = TypeVar("T", bound=Sum)


class Fold(Generic[T]):
    """A sum of one job's deltas as one replica has them. ``new`` makes one of nothing."""

    def __init__(self, origins: Sequence[str], new: Callable[[], T]) -> None:
        self._origins = tuple(origins)
        self._new = new
        self._begin()

    def _begin(self) -> None:
        self.tally = self._new()
        # By origin, as bitmaps: dots that were added, and those of them that were retracted.
        self._added = {origin: bytearray() for origin in self._origins}
        self._subtracted = {origin: bytearray() for origin in self._origins}
        self._batch: list[tuple[str, int, bytes]] = []  # dots that are still to be added

    def refresh(self, store: ResultStore) -> int:
        """Fold what is new on this replica; how many dots."""
        new = 0
        self._batch.clear()  # fetched by a refresh that failed
        for _ in range(TRIES):
            tally = self.tally
            new += sum(self._refresh(store, origin) for origin in self._origins)
            self._add_batch()
            if self.tally is tally:  # not begun again, which forgets the origins before
                break
        return new

    def _refresh(self, store: ResultStore, origin: str) -> int:
        new = 0
        for _ in range(TRIES):
            dots = store.dot_sets(origin)
            if not self._covers(origin, dots):
                dots = self._rebuild(store, origin)
            asked, found = self._fold(store, origin, dots)
            new += found
            if asked == found:
                break
            self._add_batch()
            if store.dot_sets(origin).base == dots.base:
                break  # what had no delta, a rollback took meanwhile
        return new

    def _fold(self, store: ResultStore, origin: str, dots: DotSets) -> tuple[int, int]:
        """Add what is new, subtract what was retracted: dots that should be, and that were."""
        added, subtracted = self._added[origin], self._subtracted[origin]
        fresh = bitmap.difference(bitmap.difference(dots.applied, added), dots.retracted)
        retracted = bitmap.difference(bitmap.intersection([dots.retracted, added]), subtracted)
        found = 0
        for deltas in batches(list(bitmap.members(fresh)), partial(store.deltas, origin)):
            self._batch += ((origin, seq, delta) for seq, delta in deltas)
            found += len(deltas)
            batch_bytes = sum(len(delta) for _, _, delta in self._batch)
            if batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_DOTS:
                self._add_batch()
        for deltas in batches(list(bitmap.members(retracted)), partial(store.contents, origin)):
            for seq, delta in deltas:
                self.tally.subtract(delta)
                bitmap.add(subtracted, seq)
                found += 1
        return bitmap.count(fresh) + bitmap.count(retracted), found

    def _add_batch(self) -> None:
        self.tally.add(*(delta for _, _, delta in self._batch))
        for origin, seq, _ in self._batch:
            bitmap.add(self._added[origin], seq)
        self._batch.clear()

    def _covers(self, origin: str, dots: DotSets) -> bool:
        """Whether all that the base contains was added, and what it left out was not."""
        added, subtracted = self._added[origin], self._subtracted[origin]
        inside = bitmap.difference(bitmap.first(dots.through), dots.excluded)
        if any(bitmap.difference(inside, added)):
            return False
        return not any(bitmap.intersection([bitmap.difference(added, subtracted), dots.excluded]))

    def _rebuild(self, store: ResultStore, origin: str) -> DotSets:
        """Put the origin's base in place of its dots: if there are any, by beginning again."""
        if any(self._added[origin]):
            self._begin()
        # The base may have moved on since the bitmaps were read, so ask again what it covers.
        dots, added = self._add_base(store, origin)
        if added:
            self._added[origin] = bytearray(bitmap.first(dots.through))
            self._subtracted[origin] = bytearray(dots.excluded)
        return dots

    def _add_base(self, store: ResultStore, origin: str) -> tuple[DotSets, bool]:
        """Add the origin's base; what it is the sum of, and whether there is one."""
        dots, base = store.base(origin)
        if base is not None:
            self.tally.add(base)
        return dots, base is not None


class View(Fold[Tally]):
    """The merged counts of one job as one replica has them."""

    def __init__(self, origins: Sequence[str]) -> None:
        super().__init__(origins, kernel.new_tally)


class WordsView(Fold[Lookup]):
    """The counts of some words only. Of a base just the parts are read that these need, and so its
    checksum is not verified."""

    def __init__(self, origins: Sequence[str], words: Sequence[str]) -> None:
        super().__init__(origins, partial(Lookup, words))

    def _add_base(self, store: ResultStore, origin: str) -> tuple[DotSets, bool]:
        dots, size = store.dot_sets(origin), store.base_bytes(origin)
        if size:
            with suppress(DeltaError):
                self.tally.add_parts(size, partial(store.base_part, origin))
                if store.dot_sets(origin).base == dots.base:
                    return dots, True
            self._begin()  # with parts of two bases: it moved on
        return super()._add_base(store, origin)
