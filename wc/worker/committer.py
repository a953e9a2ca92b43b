"""The commit of counted splits: to all replicas in parallel.

It succeeds when ``write_quorum`` replicas have acknowledged it. Replicas that did not are brought
up to date by repair. A worker that waits for a quorum says so in its log and beside the job, where
its host's driver reads it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from wc.backends.api import Claim, Commit
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.jobs.folder import JobFolder
from wc.worker.crash_points import CrashPoints

log = logging.getLogger(__name__)

#: Between two attempts to reach a quorum, and until the wait is worth a message.
RETRY_SECONDS, PATIENCE_SECONDS = 0.1, 5.0


class Stopped(Exception):
    """The process was asked to stop while it waited for a replica."""


class Committer:
    """Commits what one worker, ``worker-INDEX``, has counted, until ``stopping`` is true. ``jobs``
    is the folder with its host's job folders."""

    def __init__(
        self,
        replicas: ReplicaSet,
        jobs: Path,
        worker: str,
        crash: CrashPoints,
        stopping: Callable[[], bool],
    ) -> None:
        self._jobs = jobs
        self._worker = worker
        self._replicas = replicas
        self._crash = crash
        self._stopping = stopping

    def commit(
        self, job: str, claims: Sequence[Claim], deltas: Sequence[bytes], write_quorum: int
    ) -> list[bool]:
        """Commit splits from one queue. Returns once ``write_quorum`` replicas have them, however
        long that takes: one bool a split, whether it was new (at the queue's own replica, if that
        answered).

        Idempotent per dot: after a time-out, when nobody knows whether the write happened, it is
        done again. Raises Stopped.
        """
        origin, home = claims[0].origin, claims[0].home
        quorum = min(write_quorum, len(self._replicas.all))
        commits = [
            Commit(claim.seq, claim.entry, delta)
            for claim, delta in zip(claims, deltas, strict=True)
        ]

        def write(replica: Replica) -> list[bool]:
            new = replica.job(job).commit(origin, commits, settle=replica.name == home)
            self._crash.at("after-first-ack")
            return new

        acknowledged: dict[str, list[bool]] = {}
        waited, patience = False, time.monotonic() + PATIENCE_SECONDS
        while True:
            rest = [r for r in self._replicas.available() if r.name not in acknowledged]
            if self._crash.armed("between-commits"):
                acknowledged |= self._replicas.ask_all(write, rest[:1])
                self._crash.at("between-commits")
            # The queue's own replica ends the lease with the commit: where more than one
            # replica must have it, that comes last.
            first = [r for r in rest if quorum == 1 or r.name != home]
            acknowledged |= self._replicas.ask_all(write, first)
            if len(acknowledged) >= quorum - 1:
                acknowledged |= self._replicas.ask_all(write, [r for r in rest if r not in first])
            if len(acknowledged) >= quorum:
                self._crash.at("before-ack-handled")
                if waited:
                    self._note(job, "")
                return acknowledged.get(home) or next(iter(acknowledged.values()))
            if self._stopping():
                raise Stopped
            if time.monotonic() > patience:
                splits = "1 split" if len(commits) == 1 else f"{len(commits)} splits"
                reason = (
                    f"{len(acknowledged)} of {len(self._replicas.all)} replicas acknowledged "
                    f"{splits} of {origin}; waiting for {quorum}"
                )
                for name, why in self._replicas.troubles().items():
                    reason += f"; replica {name}: {why}"
                log.warning("%s: %s", job, reason)
                self._note(job, reason)
                waited, patience = True, time.monotonic() + PATIENCE_SECONDS
            time.sleep(RETRY_SECONDS)

    def _note(self, job: str, reason: str) -> None:
        with suppress(OSError):  # a full disk keeps nobody from counting
            JobFolder(self._jobs / job).note_wait(self._worker, reason)
