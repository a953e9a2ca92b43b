"""Compaction: the dots that every replica has are folded into a base, one sum for each origin.

So a replica's memory follows the vocabulary, not the number of splits. Each host's driver compacts
its own replica, and writes what it folds to its archive first. The bases of two replicas may cover
different dots at any time; values and digests are the same.
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

    None, and nothing is folded, while a replica does not answer: it may lack what only deltas can
    bring. Raises Unavailable, sqlite3.Error, OSError.
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
    answers = replicas.ask_all(lambda replica: replica.job(job).dot_sets(origin))
    if len(answers) < len(replicas.all):
        return None
    through = bitmap.prefix(bitmap.intersection([dots.applied for dots in answers.values()]))
    # Retracted everywhere, so nobody will need their counts again.
    retracted = bitmap.intersection([dots.retracted for dots in answers.values()])
    excluded = bitmap.up_to(retracted, through)
    mine = answers[own.name]
    if through < mine.through or any(bitmap.difference(mine.excluded, excluded)):
        return 0  # a replica that was rolled back is being repaired
    store = own.job(job)
    stored = store.delta_seqs(origin)
    # Some are not archived yet, if the base came whole from a peer.
    for deltas in batches([s for s in stored if s <= mine.through], partial(store.deltas, origin)):
        archive.add(origin, deltas)
    if (through, excluded) != (mine.through, bitmap.up_to(mine.excluded, through)):
        try:
            _fold(store, origin, mine, archive, through, excluded)
        except BaseChanged:
            return 0
    store.trim(origin, [seq for seq in stored if seq <= through])
    return through - mine.through


def _fold(
    store: ResultStore, origin: str, mine: DotSets, archive: Archive, through: int, excluded: bytes
) -> None:
    tally = kernel.new_tally()
    if mine.through:
        now, base = store.base(origin)
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
        tally.add(*(delta for seq, delta in deltas if not bitmap.contains(excluded, seq)))
        found += len(deltas)
    # Dots that the base contained until now.
    contained = bitmap.up_to(bitmap.difference(excluded, mine.excluded), mine.through)
    subtracted = 0
    for deltas in batches(list(bitmap.members(contained)), partial(store.negatives, origin)):
        for _, delta in deltas:
            tally.subtract(delta)
            subtracted += 1
    if found < len(fresh) or subtracted < bitmap.count(contained):
        raise BaseChanged
    try:
        store.rebase(origin, tally.pack(), through, excluded, digest)
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
            # The cost of a fold grows with the base: wait for as many bytes of deltas.
            self._due = max(self._most, *map(store.base_bytes, origins))
        else:
            # A replica is away or lacks something: try again after as many bytes more.
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
