"""Compaction: the dots that every replica knows, as one sum an origin.

So a replica's memory follows the vocabulary, not the number of splits. Each host's driver
compacts its own replica. What it folds it has written to its archive first. How far the bases
of two replicas go may differ at any time; their values and digests do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from wc.backends.api import Rejected, ResultStore
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.core.delta_batches import batches
from wc.counts import kernel
from wc.crdt.dot_sets import DotSets, dot_digest, xor
from wc.replication.delta_archive import Archive


class Moved(Exception):
    """The replica changed meanwhile (it was rolled back, or someone else compacted): later."""


def compact(
    replicas: ReplicaSet, own: Replica, job: str, origins: Sequence[str], archive: Archive
) -> int | None:
    """Fold what all replicas have into the bases of ``own``; how many dots.

    None, and nothing is folded, while a replica does not answer: it may lack what only deltas
    can bring. Raises Unavailable, sqlite3.Error, OSError.
    """
    folded = 0
    for origin in origins:
        found = _compact(replicas, own, job, origin, archive)
        if found is None:
            return None
        folded += found
    return folded


def _compact(
    replicas: ReplicaSet, own: Replica, job: str, origin: str, archive: Archive
) -> int | None:
    held = replicas.ask_all(lambda replica: replica.job(job).dot_sets(origin))
    if len(held) < len(replicas.all):
        return None
    through = bitmap.prefix(bitmap.intersection([h.applied for h in held.values()]))
    # Taken back everywhere, so nobody will need their counts again.
    gone = bitmap.up_to(bitmap.intersection([h.retracted for h in held.values()]), through)
    mine = held[own.name]
    if through < mine.through or any(bitmap.difference(mine.excluded, gone)):
        return 0  # a replica that was rolled back is being repaired
    if (through, gone) != (mine.through, bitmap.up_to(mine.excluded, through)):
        try:
            _fold(own.job(job), origin, mine, archive, through, gone)
        except Moved:
            return 0
    if through:
        own.job(job).trim(origin)
    return through - mine.through


def _fold(
    store: ResultStore, origin: str, mine: DotSets, archive: Archive, through: int, gone: bytes
) -> None:
    tally = kernel.Tally()
    if mine.through:
        now, base = store.based(origin)
        if base is None or now.base != mine.base:
            raise Moved
        tally.add(base)
    digest = mine.base_digest
    fresh = list(range(mine.through + 1, through + 1))
    found = 0
    for deltas in batches(fresh, partial(store.deltas, origin)):
        archive.add(origin, deltas)
        for seq, delta in deltas:
            digest = xor(digest, dot_digest(origin, seq, delta))
        tally.add(*(delta for seq, delta in deltas if not bitmap.contains(gone, seq)))
        found += len(deltas)
    # What the base contained until now, and is taken back.
    contained = bitmap.up_to(bitmap.difference(gone, mine.excluded), mine.through)
    lifted = 0
    for deltas in batches(list(bitmap.members(contained)), partial(store.negatives, origin)):
        for _, delta in deltas:
            tally.subtract(delta)
            lifted += 1
    if found < len(fresh) or lifted < bitmap.count(contained):
        raise Moved
    try:
        store.rebase(origin, tally.pack(), through, gone, digest)
    except Rejected as error:
        raise Moved from error
