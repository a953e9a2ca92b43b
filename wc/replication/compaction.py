"""Compaction: the dots that every replica knows, as one sum an origin.

So a replica's memory follows the vocabulary, not the number of splits. Each host's driver
compacts its own replica. What it folds it has written to its archive first. How far the bases
of two replicas go may differ at any time; their values and digests do not.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from functools import partial

from wc.backends.api import Rejected, ResultStore
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.core.delta_batches import batches
from wc.counts import kernel
from wc.crdt.dot_sets import DotSets, dot_digest, xor
from wc.crdt.status import JobStatus
from wc.jobs.spec import JobSpec
from wc.replication.delta_archive import Archive

log = logging.getLogger(__name__)


class BaseChanged(Exception):
    """The replica changed meanwhile: it was rolled back, or someone else compacted. Later."""


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
        except BaseChanged:
            return 0
    if through:
        own.job(job).trim(origin)
    return through - mine.through


def _fold(
    store: ResultStore, origin: str, mine: DotSets, archive: Archive, through: int, gone: bytes
) -> None:
    tally = kernel.new_tally()
    if mine.through:
        now, base = store.based(origin)
        if base is None or now.base != mine.base:
            raise BaseChanged
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
        raise BaseChanged
    try:
        store.rebase(origin, tally.pack(), through, gone, digest)
    except Rejected as error:
        raise BaseChanged from error


class MidJobCompaction:
    """Compaction of one host's replica while a job runs, for each ``most`` bytes of deltas; the
    rest is folded after the job."""

    def __init__(
        self, replicas: ReplicaSet, own: Replica, spec: JobSpec, archive: Archive, most: int
    ) -> None:
        self._replicas = replicas
        self._own = own
        self._spec = spec
        self._archive = archive
        self._most = most
        self._due = most  # bytes of one origin's deltas at which it is done next

    def run_if_due(self, status: JobStatus) -> None:
        """Raises Unavailable."""
        job, origins = self._spec.name, self._spec.origins
        store = self._own.job(job)
        sizes = store.delta_bytes(origins)
        unfolded = max(sizes.values())
        if unfolded < self._due or self._is_nearly_done(status, sizes):
            return
        try:
            folded = compact(self._replicas, self._own, job, origins, self._archive)
        except (OSError, sqlite3.Error) as error:
            folded = 0
            log.error("%s: cannot be compacted: %s", job, error)
        if folded:
            log.info("%s: folded %d splits into bases", job, folded)
            # A fold costs about as much as the base is large: the next is to be worth it.
            self._due = max(self._most, *map(store.base_bytes, origins))
        else:
            # A replica is away or behind: when there is as much again.
            self._due = unfolded + self._most

    def _is_nearly_done(self, status: JobStatus, sizes: dict[str, int]) -> bool:
        """Whether the deltas still to come take less memory than is worth a fold."""
        remaining_bytes = 0.0
        for name, origin in status.origins.items():
            if origin.total is None:
                return False
            remaining = origin.total - origin.applied - origin.dead - origin.retracted_unapplied
            unfolded = origin.applied - origin.through
            if remaining and not unfolded:
                return False  # nobody knows how large they are
            if remaining:
                remaining_bytes = max(remaining_bytes, remaining * sizes[name] / unfolded)
        return remaining_bytes < self._most
