"""Leases: a heartbeat renews the claims of this worker while it counts.

A dead or stopped worker renews nothing, so its splits are free when the lease ends; a slow one
keeps beating and keeps them. A lease lost in spite of that (a long stall) costs a second count,
never a wrong one: the dot decides.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable

from wc.backends.api import Claim, Unavailable
from wc.backends.redis.replica_set import ReplicaSet

log = logging.getLogger(__name__)

#: Renewals per lease: two may be lost before it runs out.
BEATS_PER_LEASE = 3


class LeaseKeeper:
    """Renews the claims it was given, from a thread of its own, until closed."""

    def __init__(self, replicas: ReplicaSet, consumer: str, lease_seconds: float) -> None:
        self._replicas = replicas
        self._consumer = consumer
        self._interval = lease_seconds / BEATS_PER_LEASE
        self._claims: dict[str, tuple[str, Claim]] = {}
        self._lost: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def hold(self, job: str, claims: Iterable[Claim]) -> None:
        with self._lock:
            self._claims.update({_key(job, claim): (job, claim) for claim in claims})

    def release(self, job: str, claims: Iterable[Claim]) -> None:
        with self._lock:
            for claim in claims:
                self._claims.pop(_key(job, claim), None)
                self._lost.discard(_key(job, claim))

    def lost(self, job: str, claim: Claim) -> bool:
        """Whether a lease is lost: someone took the split over, or has settled it."""
        return _key(job, claim) in self._lost

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._interval):
            with self._lock:
                claimed = list(self._claims.values())
            queues: dict[tuple[str, str, str], list[Claim]] = defaultdict(list)
            for job, claim in claimed:
                queues[job, claim.home, claim.origin].append(claim)
            for (job, home, origin), claims in queues.items():
                self._renew(job, home, origin, claims)

    def _renew(self, job: str, home: str, origin: str, claims: list[Claim]) -> None:
        replica = self._replicas.by_name[home]
        entries = [claim.entry for claim in claims]
        try:
            renewed = replica.queue(job).renew(self._consumer, origin, entries)
        except Unavailable as error:
            # Not renewed: the split may be counted twice, and will be applied once.
            log.warning("cannot renew %d leases at %s: %s", len(entries), home, error)
            return
        with self._lock:
            for claim, is_renewed in zip(claims, renewed, strict=True):
                key = _key(job, claim)
                if not is_renewed and key in self._claims:
                    self._lost.add(key)


def _key(job: str, claim: Claim) -> str:
    return f"{job}/{claim.home}/{claim.origin}/{claim.entry}"
