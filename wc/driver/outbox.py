"""The durable outbox of one origin's splits: from its manifest into a queue, until all are settled.

The origin's own driver has it; while the origin is away, so does the driver that adopted it, whose
queue on its own Redis then has the same dots. Each step looks at what the replicas have and does
what is missing, so it may be repeated and cut short.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.jobs import manifest as manifest_file
from wc.jobs.manifest import Manifest
from wc.jobs.splits import Split
from wc.replication.delta_archive import Archive
from wc.replication.delta_search import search_deltas

log = logging.getLogger(__name__)

#: Most splits of an enqueue call, and most files that they name together, as a shared split names
#: each of its files. Backpressure: the most files that wait in the stream, each split's counted.
ENQUEUE_SPLITS, ENQUEUE_FILES, BACKLOG_FILES = 500, 5_000, 20_000
#: Dots that are retracted in one call.
RETRACT_DOTS = 500


class Outbox:
    """Sends the splits of ``origin`` to the queue on the replica ``home``. Raises Unavailable."""

    def __init__(
        self,
        replicas: ReplicaSet,
        home: Replica,
        job: str,
        origin: str,
        manifest: Manifest,
        archive: Archive,
    ) -> None:
        self.origin = origin
        self.manifest = manifest
        self._replicas = replicas
        self._home = home
        self._queue = home.queue(job)
        self._job = job
        self._archive = archive
        self._refused: dict[str, int] = {}  # splits that a replica would not retract, last time

    def enqueue(self, high: int) -> bool:
        """Put what lies above the high-water mark into the queue, as far as there is room. Whether
        all of it is in; else the rest is for another call, when workers have made room."""
        queued = self.backlog()
        if queued > BACKLOG_FILES:
            return False
        settled = self._settled_anywhere()
        total = self.manifest.total
        # What some replica has comes back by repair. The last split is enqueued
        # all the same, so that the high-water mark tells of a finished enqueue.
        missing = (
            (seq, split)
            for seq, split in self.manifest.splits(high + 1, total)
            if seq == total or not bitmap.contains(settled, seq)
        )
        for splits, each in _calls(missing):
            if queued * each > BACKLOG_FILES:
                return False
            queued += len(splits)
            self._queue.enqueue(self.origin, splits)
            self._home.registry.wake(self._job)
        return True

    def backlog(self) -> int:
        """Splits that are queued and not settled."""
        return self._queue.backlog(self.origin)

    def requeue(self) -> None:
        """Put back what is in no queue and on no replica, after more than one of them was lost."""
        settled = self._settled_anywhere()
        dead = self._home.job(self._job).dead()
        lost = [
            seq
            for seq in range(1, self.manifest.total + 1)
            if not bitmap.contains(settled, seq) and f"{self.origin}/{seq}" not in dead
        ]
        if lost:
            splits, _ = next(_calls((seq, self.manifest.split(seq)) for seq in lost))
            added = self._queue.requeue(self.origin, splits)
            log.warning(
                "%s: %d splits of %s were lost, %d put back",
                self._job,
                len(lost),
                self.origin,
                added,
            )

    def restore(self) -> None:
        """Let workers find what is queued, if the queue's consumer group was lost."""
        self._queue.restore(self.origin)

    def seal(self) -> None:
        """Tell all replicas how many splits there are."""
        manifest = self.manifest
        retracted = len(manifest.retracted())
        self._replicas.ask_all(
            lambda replica: replica.job(self._job).seal(
                self.origin, manifest.revision, manifest.total, retracted
            )
        )

    def share(self) -> None:
        """Keep a copy of the manifest on every replica that has none, or an older one."""
        revision = self.manifest.revision
        packed = b""

        def keep(replica: Replica) -> None:
            nonlocal packed
            store = replica.job(self._job)
            if store.status([self.origin]).origins[self.origin].copied_revision < revision:
                packed = packed or manifest_file.pack(self.manifest)
                store.keep_manifest(self.origin, revision, packed)

        self._replicas.ask_all(keep)

    def retract(self) -> None:
        """Retract, on every replica, the dots that the manifest says are retracted."""
        retracted = self.manifest.retracted()
        if not retracted:
            return
        marks = bytearray()
        for seq in retracted:
            bitmap.add(marks, seq)
        answers = self._replicas.ask_all(
            lambda replica: replica.job(self._job).dot_sets(self.origin)
        )
        for name, dots in answers.items():
            lacks = list(bitmap.members(bitmap.difference(marks, dots.retracted)))
            for at in range(0, len(lacks), RETRACT_DOTS):
                self._mark(
                    self._replicas.by_name[name], lacks[at : at + RETRACT_DOTS], dots.through
                )

    def _mark(self, replica: Replica, seqs: list[int], through: int) -> None:
        inside = [seq for seq in seqs if seq <= through]
        available = self._replicas.available()
        known = search_deltas(available, self._job, self.origin, inside, self._archive)
        marks = [(seq, known.get(seq, b"")) for seq in seqs]
        with suppress(Unavailable):
            refused = replica.job(self._job).retract(self.origin, marks).count(-1)
            if refused and refused != self._refused.get(replica.name):
                log.warning(
                    "%s: %d splits of %s cannot be retracted on %s yet: their counts are inside "
                    "its base, and neither a replica nor this host's archive has them; "
                    "another host's archive may",
                    self._job,
                    refused,
                    self.origin,
                    replica.name,
                )
            self._refused[replica.name] = refused

    def _settled_anywhere(self) -> bytes:
        """Dots that need no counting, as a bitmap: applied on some replica, or retracted."""
        answers = self._replicas.ask_all(
            lambda replica: replica.job(self._job).dot_sets(self.origin)
        )
        retracted = bytearray()
        for seq in self.manifest.retracted():
            bitmap.add(retracted, seq)
        return bitmap.union([*(dots.applied for dots in answers.values()), retracted])


def _calls(
    splits: Iterable[tuple[int, Split]],
) -> Iterator[tuple[list[tuple[int, Split]], int]]:
    """The splits of one enqueue call after the other, and the most files that one of each has."""
    some: list[tuple[int, Split]] = []
    files = most = 0
    for seq, split in splits:
        some.append((seq, split))
        files += split.file_count
        most = max(most, split.file_count)
        if len(some) == ENQUEUE_SPLITS or files >= ENQUEUE_FILES:
            yield some, most
            some, files, most = [], 0, 0
    if some:
        yield some, most
