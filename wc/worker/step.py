"""One step of a worker: a batch of splits, from claim to commit, in the order in which it happens.

    claim      lease splits that are free, or whose lease has run out; or copy a straggler
    look up    what a replica has already is copied, and what needs no counting is dropped
    count      under the lease, which a heartbeat renews; a failure is recorded at the queue
    commit     to all replicas, in the background: the next batch is counted meanwhile
    release    the heartbeat lets go of the leases

A worker that dies anywhere in between has done no harm: the lease runs out, and another worker
begins again with the same split. A dot that two have counted is applied once.
"""

from __future__ import annotations

import logging
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
from wc.worker.known_deltas import known_deltas
from wc.worker.lease_keeper import LeaseKeeper

log = logging.getLogger(__name__)

Request = Callable[[WorkQueue], list[Claim]]


class Batch(NamedTuple):
    """Splits that are counted and not yet committed: their deltas, and the CPU time (s) of each."""

    claims: list[Claim]
    deltas: list[bytes]
    seconds: list[float]


class Stepper:
    """One worker's steps; ``name`` is the worker's, for its leases."""

    def __init__(
        self,
        config: Config,
        name: str,
        replicas: ReplicaSet,
        crash: CrashPoints,
        stopping: Callable[[], bool],
    ) -> None:
        self._config = config
        self._name = name
        self._replicas = replicas
        self._crash = crash
        self._stopping = stopping
        self._leases = LeaseKeeper(replicas, name, config.lease_seconds)
        worker = name.rpartition("/")[2].partition(":")[0]
        self._committer = Committer(replicas, config.jobs, worker, crash, stopping)
        self._background = BackgroundCall("commit")

    def step(self, spec: JobSpec) -> bool:
        """Claim and count a batch of the job's splits, and begin to commit it. False if no split
        was free, or none of them could be counted. Raises what the last batch's commit raised."""
        claims = self._claim(spec)
        if not claims:
            return False
        self._crash.at("after-claim")
        leased = [claim for claim in claims if claim.deliveries]
        self._leases.hold(spec.name, leased)
        known, needless = known_deltas(self._replicas, spec.name, claims)
        self._drop(spec, [claim for claim in claims if claim.seq in needless])
        batch = self._count(spec, [c for c in claims if c.seq not in needless], known)
        self._background.run(partial(self._commit, spec, batch, leased))
        # Who can read nothing here is not to be first at every split.
        return bool(batch.claims or needless)

    def wait(self) -> None:
        """Return once the last batch is committed."""
        self._background.wait()

    def close(self) -> None:
        self._background.close()
        self._leases.close()

    # Claim.

    def _claim(self, spec: JobSpec) -> list[Claim]:
        """Splits of one queue; [] if none is free anywhere."""
        for replica, request in self._requests(spec):
            if self._stopping():
                break
            if not replica.available():
                continue
            try:
                if claims := request(replica.queue(spec.name)):
                    return claims
            except Unavailable as error:
                log.warning("%s", error)
        return []

    def _requests(self, spec: JobSpec) -> Iterator[tuple[Replica, Request]]:
        """Where work may be: the own host's queue, expired leases there, then the same at the other
        origins where the files are shared; last of all stragglers."""
        host, limit = self._config.host, self._config.max_deliveries
        lease_ms = int(self._config.lease_seconds * 1000)
        # A host's Redis has its own origin's queue; where files are shared, also those of origins
        # that its driver has adopted.
        queues = spec.origins if spec.shared else (host,)
        replicas = [
            self._replicas.by_name[origin]
            for origin in sorted(spec.origins, key=lambda origin: origin != host)
            if origin in queues and origin in self._replicas.by_name
        ]
        for replica in replicas:
            yield replica, lambda q: q.claim(self._name, spec.batch, queues)
            yield replica, lambda q: q.takeover(self._name, lease_ms, spec.batch, limit, queues)
        for replica in replicas if spec.speculate else []:
            yield replica, lambda q: q.speculate(self._name, 1, queues)

    # Look up.

    def _drop(self, spec: JobSpec, claims: list[Claim]) -> None:
        if claims:
            try:
                self._queue(spec, claims[0]).drop(claims[0].origin, claims)
            except Unavailable as error:
                log.warning("%s", error)  # the lease runs out, and someone finds the same again

    # Count.

    def _count(self, spec: JobSpec, claims: list[Claim], known: dict[int, bytes]) -> Batch:
        batch = Batch([], [], [])
        for claim in claims:
            if self._stopping():
                break
            if claim.deliveries != 1:
                how = "taken over" if claim.deliveries else "a speculative copy"
                log.info("%s: %s: %s", spec.name, claim.split.describe(), how)
            started = time.thread_time()
            try:
                delta = known.get(claim.seq) or count_split(
                    spec, claim, self._name, partial(self._under_lease, spec.name, claim)
                )
            except Abandoned:
                log.info("%s: %s: abandoned", spec.name, claim.split.describe())
                self._note_waste(spec, claim, time.thread_time() - started)
                continue
            if isinstance(delta, Failure):
                self._fail(spec, claim, delta)
                continue
            batch.claims.append(claim)
            batch.deltas.append(delta)
            batch.seconds.append(time.thread_time() - started)
        return batch

    def _under_lease(self, job: str, claim: Claim, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of a split. Raises Abandoned once the lease is lost."""
        for piece in self._crash.during(pieces):
            if self._leases.lost(job, claim):
                raise Abandoned
            yield piece

    def _fail(self, spec: JobSpec, claim: Claim, failure: Failure) -> None:
        if not claim.deliveries and (failure.here or not failure.final):
            return  # a speculative copy's bad luck is not the split's
        limit = self._config.max_deliveries
        host = self._config.host
        others = [r.name for r in self._replicas.available() if r.name != host]
        self._leases.release(spec.name, [claim])
        try:
            dead = self._queue(spec, claim).fail(
                claim,
                failure.error,
                final=failure.final,
                max_deliveries=limit,
                consumer=self._name,
                others=others if failure.here else (),
            )
        except Unavailable as error:
            log.warning("%s; the failure of %s is not recorded", error, claim.split.describe())
            return
        outcome = "given up" if dead else "tried again, unless another has counted it"
        log.error("%s: %s; %s", spec.name, failure.error["error"], outcome)

    # Commit and release.

    def _commit(self, spec: JobSpec, batch: Batch, leased: list[Claim]) -> None:
        try:
            if batch.claims:
                self._crash.at("before-commit")
                quorum = spec.write_quorum or self._config.write_quorum
                new = self._committer.commit(spec.name, batch.claims, batch.deltas, quorum)
                seconds = zip(batch.seconds, new, strict=True)
                if wasted := sum(s for s, was_new in seconds if not was_new):
                    self._note_waste(spec, batch.claims[0], wasted)
        except Stopped:
            pass
        finally:
            self._leases.release(spec.name, leased)

    def _note_waste(self, spec: JobSpec, claim: Claim, seconds: float) -> None:
        with suppress(Unavailable):
            self._replicas.by_name[claim.home].job(spec.name).note_waste(seconds)

    def _queue(self, spec: JobSpec, claim: Claim) -> WorkQueue:
        return self._replicas.by_name[claim.home].queue(spec.name)
