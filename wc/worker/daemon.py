"""The worker: claims splits, counts their words, commits the counts to every replica.

Stateless: everything it knows is in Redis or in the input, so it may die between any
two instructions. It serves every open job, and looks for work in this order: its own
host's queues, expired leases there, then the same on the other hosts where the job's
files are shared; last of all it runs second copies of stragglers. While a batch is committed,
the next one is counted. With ``--job`` it works
on one job and exits 0 when every manifest is sealed and every dot is settled; else it
runs until told to stop.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from wc.backends.api import Claim, Unavailable, WorkQueue
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core.background_call import BackgroundCall
from wc.core.config import Config
from wc.jobs.spec import JobSpec
from wc.worker.committer import Committer, Stopped
from wc.worker.count_split import Abandoned, Failure, count_split
from wc.worker.crash_points import CrashPoints
from wc.worker.lease_keeper import LeaseKeeper
from wc.worker.open_jobs import OpenJobs

log = logging.getLogger(__name__)

#: How long an idle worker blocks before it looks around again.
IDLE_SECONDS = 1.0
#: The same while jobs are open but nothing is free: leases may run out any moment.
POLL_SECONDS = 0.1


class Batch(NamedTuple):
    """Counted splits that are to be committed, their deltas, and the seconds that each took."""

    claims: list[Claim]
    deltas: list[bytes]
    seconds: list[float]


class Worker:
    """One worker process."""

    def __init__(self, config: Config, index: int) -> None:
        self.config = config
        # With the process id, a restarted worker is not taken for its predecessor.
        self.name = f"{config.host}/worker-{index}:{os.getpid()}"
        self.stopping = False
        self.replicas = ReplicaSet(config, "worker")
        self.replicas.watch()
        self.leases = LeaseKeeper(self.replicas, self.name, config.lease_seconds)
        self.crash = CrashPoints(config.jobs.parent / "crash" / f"worker-{index}.json")
        self.committer = Committer(self.replicas, lambda: self.stopping, self.crash)
        self.background = BackgroundCall("commit")
        self.jobs = OpenJobs(self.replicas)
        self._woken = b"0"

    def serve(self) -> None:
        """Work on every open job until asked to stop."""
        while not self.stopping:
            jobs = self.jobs.known()
            found = [self.step(spec) for spec in jobs]  # a batch of each, so that all advance
            if not any(found):
                self.background.wait()
                self._idle(POLL_SECONDS if jobs else IDLE_SECONDS)

    def finish(self, job: str) -> None:
        """Work on one job until every dot of every sealed manifest is settled."""
        while not self.stopping:
            spec = next((spec for spec in self.jobs.known() if spec.name == job), None)
            if spec is not None and self.step(spec):
                continue
            self.background.wait()
            if spec is None or self._settled(spec):
                return
            self._idle(POLL_SECONDS)

    def close(self) -> None:
        self.background.close()
        self.leases.close()
        self.replicas.close()

    def step(self, spec: JobSpec) -> bool:
        """Claim and count one batch of splits, and begin to commit it. False if none was free."""
        for claims in self._sources(spec):
            if claims:
                self.crash.at("after-claim")
                leased = [claim for claim in claims if claim.deliveries]
                self.leases.hold(spec.name, leased)
                batch = self._count_all(spec, claims)
                self.background.run(partial(self._commit, spec, batch, leased))
                return True
        return False

    def _sources(self, spec: JobSpec) -> Iterator[list[Claim]]:
        """Where work may be, one attempt at a time."""
        own = [origin for origin in spec.origins if origin == self.config.host]
        others = [origin for origin in spec.origins if origin != self.config.host]
        reachable = [
            self.replicas.by_name[origin]
            for origin in own + (others if spec.shared else [])
            if origin in self.replicas.by_name
        ]
        # A host's Redis has its own origin's queue; where files are shared, also those of
        # origins that its driver has adopted.
        queues = spec.origins if spec.shared else (self.config.host,)
        lease_ms = int(self.config.lease_seconds * 1000)
        deliveries = self.config.max_deliveries
        for replica in reachable:
            yield self._ask(spec, replica, lambda q: q.claim(self.name, spec.batch, queues))
            yield self._ask(
                spec,
                replica,
                lambda q: q.takeover(self.name, lease_ms, spec.batch, deliveries, queues),
            )
        if spec.speculate:
            for replica in reachable:
                yield self._ask(spec, replica, lambda q: q.speculate(self.name, 1, queues))

    def _ask(
        self, spec: JobSpec, replica: Replica, request: Callable[[WorkQueue], list[Claim]]
    ) -> list[Claim]:
        if self.stopping or not replica.available():
            return []
        try:
            return request(replica.queue(spec.name))
        except Unavailable as error:
            log.warning("%s", error)
            return []

    def _count_all(self, spec: JobSpec, claims: list[Claim]) -> Batch:
        known, needless = self.committer.find(spec.name, claims)
        if needless:
            self._drop(spec, [claim for claim in claims if claim.seq in needless])
        batch = Batch([], [], [])
        for claim in claims:
            if self.stopping:
                break
            if claim.seq in needless:
                continue
            if claim.deliveries != 1:
                how = "taken over" if claim.deliveries else "a second copy"
                log.info("%s: %s: %s", spec.name, claim.split.describe(), how)
            started = time.monotonic()
            try:
                delta = known.get(claim.seq) or self._count(spec, claim)
            except Abandoned:
                self._waste(spec, claim.home, time.monotonic() - started)
                continue
            if isinstance(delta, Failure):
                self._fail(spec, claim, delta)
            else:
                batch.claims.append(claim)
                batch.deltas.append(delta)
                batch.seconds.append(time.monotonic() - started)
        return batch

    def _commit(self, spec: JobSpec, batch: Batch, leased: list[Claim]) -> None:
        try:
            if batch.claims:
                self.crash.at("before-commit")
                quorum = spec.write_quorum or self.config.write_quorum
                new = self.committer.commit(spec.name, batch.claims, batch.deltas, quorum)
                lost = sum(s for s, was_new in zip(batch.seconds, new, strict=True) if not was_new)
                if lost:
                    self._waste(spec, batch.claims[0].home, lost)
        except Stopped:
            pass
        finally:
            self.leases.release(spec.name, leased)

    def _drop(self, spec: JobSpec, claims: list[Claim]) -> None:
        origin, home = claims[0].origin, self.replicas.by_name[claims[0].home]
        try:
            home.queue(spec.name).drop(origin, claims)
        except Unavailable as error:
            log.warning("%s", error)  # the lease runs out, and someone finds the same again

    def _count(self, spec: JobSpec, claim: Claim) -> bytes | Failure:
        def guarded(pieces: Iterable[bytes]) -> Iterator[bytes]:
            for piece in self.crash.during(pieces):
                if self.leases.lost(spec.name, claim):
                    log.info("%s: %s: abandoned", spec.name, claim.split.describe())
                    raise Abandoned
                yield piece

        return count_split(spec, claim, self.name, guarded)

    def _waste(self, spec: JobSpec, home: str, seconds: float) -> None:
        with suppress(Unavailable):
            self.replicas.by_name[home].job(spec.name).waste(seconds)

    def _fail(self, spec: JobSpec, claim: Claim, failure: Failure) -> None:
        if not claim.deliveries and not failure.final:
            return  # a speculative copy's bad luck is not the split's
        most = self.config.max_deliveries
        queue = self.replicas.by_name[claim.home].queue(spec.name)
        try:
            dead = queue.fail(claim, failure.error, final=failure.final, max_deliveries=most)
        except Unavailable as error:
            log.warning("%s; the failure of %s is not recorded", error, claim.split.describe())
            return
        outcome = "given up" if dead else "will be tried again"
        log.error("%s: %s; %s", spec.name, failure.error["error"], outcome)

    def _settled(self, spec: JobSpec) -> bool:
        for replica in self.replicas.available():
            try:
                return replica.job(spec.name).status(spec.origins).settled
            except Unavailable:
                continue
        return False

    def _idle(self, seconds: float) -> None:
        own = self.replicas.all[0]
        if own.available():
            try:
                self._woken = own.registry.wait(seconds, self._woken)
            except Unavailable as error:
                log.warning("%s", error)
            self.jobs.forget()
        else:
            time.sleep(seconds)
