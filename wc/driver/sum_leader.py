"""Summing up: one driver folds all of a job's deltas, the others take its sum.

Folding a job costs a driver about a third of what counting it costs all workers, and the sum is
the same wherever it is made. So the origins that answer agree, without asking, on one of them. It
offers its sum on its own replica, under the digest of what it is the sum of, and only a replica
with that digest takes it. Where no sum comes, because that driver is dead or late, a driver folds
for itself: all that is lost is time.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.counts import delta, kernel
from wc.counts.kernel import AbstractTally, DeltaError
from wc.driver.poll_interval import Stillness

log = logging.getLogger(__name__)

#: How long a driver that has everything waits for the sum.
PATIENCE_SECONDS = 5.0
#: Of fewer bytes of deltas each driver makes the sum sooner than it comes from another.
MUCH_BYTES = 8 << 20
#: Up to so many words are found and packed sooner than a sum of millions is.
FEW_WORDS = 32_768


class Summing:
    """One host's part in summing up a job."""

    def __init__(
        self, replicas: ReplicaSet, own: Replica, job: str, origins: Sequence[str]
    ) -> None:
        self._replicas = replicas
        self._own = own
        self._job = job
        self._ranked = sorted(origins, key=lambda origin: _rank(job, origin))
        self._patience = Stillness(PATIENCE_SECONDS)

    def is_mine(self) -> bool:
        """Whether this host folds: the first origin that answers, in an order of the job's own."""
        return self._first() == self._own.name

    def is_anothers(self) -> bool:
        """Whether another host folds, so that its sum is to be had, and worth it. Raises
        Unavailable, as all that asks the own replica."""
        if self.is_mine():
            return False
        sizes = self._own.job(self._job).delta_bytes(self._ranked)
        return sum(sizes.values()) >= MUCH_BYTES

    def offer(self, state: str, tally: AbstractTally, most: int = 0) -> None:
        """Let the others, if any answers, have what is published of the sum of all that the digest
        ``state`` stands for: its first ``most`` words at least, 0 for all. Raises Unavailable."""
        if self.is_mine() and len(self._replicas.available()) > 1:
            some = 0 < most <= FEW_WORDS
            packed = delta.pack(dict(tally.top(most))) if some else tally.pack()
            try:
                self._own.job(self._job).offer_sum(state, packed)
            except Rejected as error:  # no memory, perhaps: the others fold
                log.warning("%s: the sum is not offered: %s", self._job, error)

    def withdraw(self) -> None:
        """Offer nothing any more, after a moment for who is just taking the sum; who comes later
        folds. Were the sum left to run out long after the last change, Redis would save a
        checkpoint for that alone. Raises Unavailable."""
        self._own.job(self._job).withdraw_sum()

    def take(self, state: str) -> AbstractTally | None:
        """What another driver offers of the sum of this ``state``; None while there is none."""
        try:
            packed = self._replicas.by_name[self._first()].job(self._job).offered_sum(state)
        except Unavailable:
            return None
        if packed is None:
            return None
        tally = kernel.Tally()
        try:
            tally.add(packed)
        except DeltaError as error:
            log.error("%s: the sum of %s is damaged: %s", self._job, self._first(), error)
            return None
        return tally

    def is_late(self, state: str) -> bool:
        """Whether no sum of this ``state`` is to be waited for any longer."""
        try:
            first = self._replicas.by_name[self._first()]
            working = first.registry.is_open(self._job)
        except Unavailable:
            return True
        return not working or self._patience.lasts(state, time.monotonic())

    def _first(self) -> str:
        present = (o for o in self._ranked if self._replicas.by_name[o].available())
        return next(present, self._own.name)


def _rank(job: str, origin: str) -> bytes:
    """Rendezvous hashing (Thaler and Ravishankar, 1998): each job has an order of its own, so that
    many jobs are not all summed up on one host."""
    return hashlib.sha1(f"{job}/{origin}".encode(), usedforsecurity=False).digest()
