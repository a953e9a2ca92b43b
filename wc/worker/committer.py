"""Committing to all replicas in parallel, and finding what some replica already has.

A commit succeeds when ``write_quorum`` replicas acknowledged it. Replicas that did not
are brought up to date by repair. A copy costs less than a recount: before a split is
counted, every reachable replica is asked for its dot.
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
    """Commits the results of one worker."""

    def __init__(
        self, replicas: ReplicaSet, stopping: Callable[[], bool], crash: CrashPoints
    ) -> None:
        self._crash = crash
        self._replicas = replicas
        self._stopping = stopping

    def commit(
        self, job: str, claims: Sequence[Claim], deltas: Sequence[bytes], write_quorum: int
    ) -> list[bool]:
        """Commit splits from one queue. Return once ``write_quorum`` replicas have them, waiting
        as long as that takes.

        One bool a split: whether it was new (at the queue's own replica, if that answered).

        Idempotent per dot, so after a time-out, when nobody knows whether the write
        happened, it is simply done again. Raises Stopped.
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

    def find(self, job: str, claims: Sequence[Claim]) -> tuple[dict[int, bytes], set[int]]:
        """What reachable replicas already have of splits from one queue: deltas by seq, and the
        splits that need none, as they are taken back or inside a replica's base."""
        origin, seqs = claims[0].origin, [claim.seq for claim in claims]
        known = self._replicas.ask_all(lambda replica: replica.job(job).settled(origin, seqs))
        found: dict[int, bytes] = {}
        applied: set[int] = set()
        retracted: set[int] = set()
        for name, bits in known.items():
            pairs = list(zip(seqs, bits, strict=True))
            retracted.update(seq for seq, (_, gone) in pairs if gone)
            wanted = [seq for seq, (there, gone) in pairs if there and seq not in found]
            if not wanted:
                continue
            applied.update(wanted)

            def fetch(replica: Replica, wanted: list[int] = wanted) -> list[bytes | None]:
                return replica.job(job).deltas(origin, wanted)

            for deltas in self._replicas.ask_all(fetch, [self._replicas.by_name[name]]).values():
                found |= {s: d for s, d in zip(wanted, deltas, strict=True) if d is not None}
        return found, retracted | (applied - found.keys())
