"""Deleting jobs: on this host at once, and on hosts that were away once they are back.

A deleted job leaves a tombstone, on each host's disk and on each replica. The driver of each host
looks for tombstones that its host lacks, and does for them what the command does. So a host that
was away deletes the job instead of bringing it back, and so does a Redis that came back with an
older checkpoint.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import atomic_file
from wc.jobs import tombstones as on_disk
from wc.jobs.spec import JobSpec
from wc.jobs.tombstones import Tombstones

log = logging.getLogger(__name__)

#: Seconds after which what late writers left of deleted jobs is removed again: a worker that was
#: stopped, or cut off, may commit long after the job was deleted.
PURGE_SECONDS = 10.0


def delete(own: Replica, jobs: Path, tombstones: Tombstones) -> None:
    """Delete these jobs on this host, which may be repeated.

    Raises Unavailable if its replica does not answer: then the driver deletes them there later.
    """
    on_disk.add(jobs, tombstones)
    for name in tombstones:
        _remove(jobs, name)  # before the replica has the tombstone: the driver looks for that
    own.registry.delete(tombstones)


def known_jobs(replicas: ReplicaSet) -> dict[str, list[JobSpec]]:
    """The jobs that each reachable replica knows, but for those that any of them has deleted."""
    answers = replicas.ask_all(lambda r: (r.registry.jobs(), r.registry.deleted()))
    deleted = {name for _, tombstones in answers.values() for name in tombstones}
    return {
        replica: [spec for spec in specs if spec.name not in deleted]
        for replica, (specs, _) in answers.items()
    }


class JobDeletion:
    """What a host's driver does: deletes jobs that were deleted elsewhere."""

    def __init__(self, replicas: ReplicaSet, own: Replica, jobs: Path) -> None:
        self._replicas = replicas
        self._own = own
        self._jobs = jobs
        self._purge_at = 0.0

    def run(self) -> list[str]:
        """Look for new tombstones; the jobs that were deleted now. Never raises for a lost
        replica."""
        answers = self._replicas.ask_all(lambda replica: replica.registry.deleted())
        disk = on_disk.read(self._jobs)
        known = _union([disk, *answers.values()])
        own = answers.get(self._own.name)
        new = {
            n: o for n, o in known.items() if n not in disk or (own is not None and n not in own)
        }
        with suppress(Unavailable):
            if new:
                log.info("deleted: %s", ", ".join(sorted(new)))
                delete(self._own, self._jobs, new)
            if own is not None and time.monotonic() >= self._purge_at:
                self._own.registry.purge(known)
                self._purge_at = time.monotonic() + PURGE_SECONDS
        return sorted(new)


def _union(tombstones: Iterable[Tombstones]) -> Tombstones:
    return {name: origins for some in tombstones for name, origins in some.items()}


def _remove(jobs: Path, name: str) -> None:
    """Remove a job's folder, which is gone at once for who looks for it. Raises OSError."""
    gone = jobs / f".deleted-{name}"
    if gone.exists():  # a removal was cut short
        shutil.rmtree(gone)
    with suppress(FileNotFoundError):
        os.rename(jobs / name, gone)
        atomic_file.sync_folder(jobs)
        shutil.rmtree(gone)
