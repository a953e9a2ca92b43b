"""The commit of counted splits: to all replicas in parallel.

It succeeds when ``write_quorum`` replicas have acknowledged it. Replicas that did not are brought
up to date by repair.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from wc.backends.api import Claim, Commit
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.worker.crash_points import CrashPoints

log = logging.getLogger(__name__)

#: Between two attempts to reach a quorum, and until the wait is worth a message.
RETRY_SECONDS, PATIENCE_SECONDS = 0.1, 5.0


class Stopped(Exception):
    """The process was asked to stop while it waited for a replica."""


class Committer:
    """Commits what one worker has counted, until ``stopping`` is true."""

    def __init__(
        self, replicas: ReplicaSet, crash: CrashPoints, stopping: Callable[[], bool]
    ) -> None:
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
        patience = time.monotonic() + PATIENCE_SECONDS
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
                return acknowledged.get(home) or next(iter(acknowledged.values()))
            if self._stopping():
                raise Stopped
            if time.monotonic() > patience:
                log.warning(
                    "%s: %d of %d replicas acknowledged %d splits of %s; waiting for %d",
                    job,
                    len(acknowledged),
                    len(self._replicas.all),
                    len(commits),
                    origin,
                    quorum,
                )
                patience = time.monotonic() + PATIENCE_SECONDS
            time.sleep(RETRY_SECONDS)
