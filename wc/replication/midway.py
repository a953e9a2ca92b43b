"""When a driver folds its replica's deltas in the middle of a job: once they take much memory."""

from __future__ import annotations

import logging
import sqlite3

from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.crdt.status import JobStatus
from wc.jobs.spec import JobSpec
from wc.replication.compaction import compact
from wc.replication.delta_archive import Archive

log = logging.getLogger(__name__)


class Midway:
    """Compaction of one host's replica while a job runs, for each ``most`` bytes of deltas; the
    rest when the job is done."""

    def __init__(
        self, replicas: ReplicaSet, own: Replica, spec: JobSpec, archive: Archive, most: int
    ) -> None:
        self._replicas = replicas
        self._own = own
        self._spec = spec
        self._archive = archive
        self._most = most
        self._at = most

    def look(self, status: JobStatus) -> None:
        """Compact if it is time to. Raises Unavailable."""
        job, origins = self._spec.name, self._spec.origins
        sizes = self._own.job(job).delta_bytes(origins)
        unfolded = max(sizes.values())
        if unfolded < self._at or self._is_nearly_done(status, sizes):
            return
        try:
            folded = compact(self._replicas, self._own, job, origins, self._archive)
        except (OSError, sqlite3.Error) as error:
            folded = 0
            log.error("%s: cannot be compacted: %s", job, error)
        if folded:
            log.info("%s: folded %d splits into bases", job, folded)
            # A fold costs about as much as the base is large: the next is to be worth it.
            self._at = max(self._most, *(self._base_bytes(origin) for origin in origins))
        else:
            # A replica is away or behind: when there is as much again.
            self._at = unfolded + self._most

    def _is_nearly_done(self, status: JobStatus, sizes: dict[str, int]) -> bool:
        """Whether what is still to come takes less memory than what is worth a fold."""
        to_come = 0.0
        for name, origin in status.origins.items():
            if origin.total is None:
                return False
            left = origin.total - origin.applied - origin.dead - origin.retracted_unapplied
            seen = origin.applied - origin.through
            if left and not seen:
                return False  # nobody knows how large they are
            if left:
                to_come = max(to_come, left * sizes[name] / seen)
        return to_come < self._most

    def _base_bytes(self, origin: str) -> int:
        return self._own.job(self._spec.name).base_bytes(origin)
