"""Summing up: one driver, the leader, folds all of a job's deltas; the others take its sum.

Folding a job costs a driver about a third of what counting it costs all workers, and the sum is
the same wherever it is made. So the origins that answer agree on a leader, without asking each
other. The leader offers its sum on its own replica, under the digest of what it is the sum of, and
only a driver whose replica has that digest takes it. Where no sum comes, because the leader is dead
or late, a driver folds for itself: all that is lost is time.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.counts import kernel
from wc.counts.kernel import DeltaError, Tally
from wc.driver.poll_interval import StallTimer

log = logging.getLogger(__name__)

#: Seconds that a driver that has everything waits for the sum.
PATIENCE_SECONDS = 5.0
#: Fewer bytes of deltas are folded by each driver sooner than their sum comes from the leader.
LEADER_BYTES = 8 << 20
#: Of a job that publishes at most so many words, only these are offered: that is faster.
FEW_WORDS = 131_072


class Sum(NamedTuple):
    """The counts of all words or of the most frequent ones, and how many words there are."""

    tally: Tally
    distinct: int


class SumLeadership:
    """Which host sums a job up, and what it offers, as the host of ``own`` sees it."""

    def __init__(
        self, replicas: ReplicaSet, own: Replica, job: str, origins: Sequence[str]
    ) -> None:
        self._replicas = replicas
        self._own = own
        self._job = job
        self._ranked = sorted(origins, key=lambda origin: _rank(job, origin))
        self._patience = StallTimer(PATIENCE_SECONDS)

    def is_leader(self) -> bool:
        """Whether this host leads: the first origin that answers, in the job's own order."""
        return self._leader().name == self._own.name

    def is_follower(self) -> bool:
        """Whether another host leads, and there is enough to fold for its sum to be worth waiting
        for. Raises Unavailable."""
        if self.is_leader():
            return False
        sizes = self._own.job(self._job).delta_bytes(self._ranked)
        return sum(sizes.values()) >= LEADER_BYTES

    def offer(self, state: str, tally: Tally, most: int = 0) -> Sum:
        """As the leader, offer the sum of what the digest ``state`` stands for, if any other host
        answers: its ``most`` most frequent words at least, 0 for all. Returns what is to be
        published, which takes less time to put in order if it is what was offered. Raises
        Unavailable."""
        found = Sum(tally, len(tally))
        if self.is_leader() and len(self._replicas.available()) > 1:
            if 0 < most <= FEW_WORDS:
                found = Sum(tally.first(most), found.distinct)
            try:
                self._own.job(self._job).offer_sum(state, found.tally.pack(), found.distinct)
            except Rejected as error:  # no memory, perhaps: the others fold
                log.warning("%s: the sum is not offered: %s", self._job, error)
        return found

    def withdraw(self) -> None:
        """End the offer, after a moment for who is just taking it; who comes later folds. Else it
        would expire long after the last change, and Redis would save a checkpoint for that alone.
        Raises Unavailable."""
        self._own.job(self._job).withdraw_sum()

    def take(self, state: str) -> Sum | None:
        """What the leader offers of the sum of this ``state``; None while there is none."""
        leader = self._leader()
        try:
            offered = leader.job(self._job).offered_sum(state)
        except Unavailable:
            return None
        if offered is None:
            return None
        packed, distinct = offered
        tally = kernel.new_tally()
        try:
            tally.add(packed)
        except DeltaError as error:
            log.error("%s: the sum of %s is damaged: %s", self._job, leader.name, error)
            return None
        return Sum(tally, distinct)

    def is_late(self, state: str) -> bool:
        """Whether to wait no longer for the sum of this ``state``."""
        try:
            working = self._leader().registry.is_open(self._job)
        except Unavailable:
            return True
        return not working or self._patience.expired(state, time.monotonic())

    def _leader(self) -> Replica:
        ranked = (self._replicas.by_name[origin] for origin in self._ranked)
        return next((replica for replica in ranked if replica.available()), self._own)


def _rank(job: str, origin: str) -> bytes:
    """Rendezvous hashing (Thaler and Ravishankar, 1998): each job has an order of its own, so that
    one host does not sum up all jobs."""
    return hashlib.sha1(f"{job}/{origin}".encode(), usedforsecurity=False).digest()
