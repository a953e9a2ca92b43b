"""Committing to all replicas in parallel, and finding what some replica already has.

A commit succeeds when ``write_quorum`` replicas acknowledged it. Replicas that did not
are brought up to date by repair. A copy costs less than a recount: before a split is
counted, every reachable replica is asked for its dot.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import redis

from wc.crashpoints import CrashPoints
from wc.replicas import ReplicaSet
from wc.store import Commit, JobStore

log = logging.getLogger(__name__)

#: Between two attempts to reach a quorum, and until the wait is worth a message.
RETRY_SECONDS, PATIENCE_SECONDS = 0.1, 5.0


class Stopped(Exception):
    """The process was asked to stop while it waited for a replica."""


class Committer:
    """Commits the results of one worker."""

    def __init__(
        self,
        replicas: ReplicaSet,
        write_quorum: int,
        stopping: Callable[[], bool],
        crash: CrashPoints,
    ) -> None:
        self._crash = crash
        self._replicas = replicas
        self._quorum = min(write_quorum, len(replicas.all))
        self._stopping = stopping

    def commit(self, job: str, origin: str, commits: Sequence[Commit]) -> list[bool]:
        """Return once ``write_quorum`` replicas have the dots; wait as long as that takes.

        One bool a commit: whether it was new (at the origin's replica, if that answered).

        Idempotent per dot, so after a time-out, when nobody knows whether the write
        happened, it is simply done again. Raises Stopped.
        """

        def write(client: redis.Redis, name: str) -> list[bool]:
            new = JobStore(client, job).commit(origin, commits, settle=name == origin)
            self._crash.at("after-first-ack")
            return new

        acknowledged: dict[str, list[bool]] = {}
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            rest = [r for r in self._replicas.available() if r.name not in acknowledged]
            if self._crash.armed("between-commits"):
                acknowledged |= self._replicas.call_all(write, rest[:1])
                self._crash.at("between-commits")
            acknowledged |= self._replicas.call_all(write, rest)
            if len(acknowledged) >= self._quorum:
                self._crash.at("before-ack-handled")
                return acknowledged.get(origin) or next(iter(acknowledged.values()))
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
                    self._quorum,
                )
                patience = time.monotonic() + PATIENCE_SECONDS
            time.sleep(RETRY_SECONDS)

    def find(self, job: str, origin: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """The deltas that some reachable replica already has, by seq."""

        def which(client: redis.Redis, _: str) -> list[bool]:
            return JobStore(client, job).has(origin, seqs)

        found: dict[int, bytes] = {}
        for name, has in self._replicas.call_all(which).items():
            wanted = [s for s, there in zip(seqs, has, strict=True) if there and s not in found]
            if not wanted:
                continue

            def fetch(
                client: redis.Redis, _: str, wanted: list[int] = wanted
            ) -> list[bytes | None]:
                return JobStore(client, job).deltas(origin, wanted)

            for deltas in self._replicas.call_all(fetch, [self._replicas.by_name[name]]).values():
                found |= {s: d for s, d in zip(wanted, deltas, strict=True) if d is not None}
        return found
