"""One job as one origin's driver runs it: the durable outbox of the job protocol.

Register, enqueue with backpressure, seal, then watch until every dot is applied
somewhere, the replicas agree, and this host's replica has published the counts. Each
step looks at what the replicas have and does what is missing, so the same loop starts a
job, resumes it after the driver died, and puts back what a Redis lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis

from wc import bitmap
from wc.jobfiles import JobFolder
from wc.publish import publish
from wc.queue import TaskQueue
from wc.registry import Registry
from wc.repair import Repair
from wc.replicas import ReplicaSet, Unavailable
from wc.store import JobStatus, JobStore
from wc.view import View

log = logging.getLogger(__name__)

#: Splits per enqueue call, and the most that wait in the stream (backpressure).
ENQUEUE_SPLITS, BACKLOG_SPLITS = 500, 20_000
#: Between two looks at the replicas: doubling from the first to the second.
SHORTEST_LOOK, LONGEST_LOOK = 0.02, 0.25
#: Looks without any change after which a replica that lacks something is stale.
STALE_LOOKS = 4


class JobRun:
    """The driver's side of one job on one origin."""

    def __init__(self, folder: JobFolder, replicas: ReplicaSet, host: str) -> None:
        spec = folder.spec()
        assert spec is not None  # the daemon runs submitted jobs only  # noqa: S101
        self.spec = spec
        self.folder = folder
        self.host = host
        self.replicas = replicas
        self.own = replicas.by_name[host]
        self.manifest = folder.manifest()
        self._started = time.time()
        self._view = View(spec.origins)
        self._registered: set[str] = set()
        self._last_digest = ""
        self._still = 0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Return when the outcome is on disk, or when asked to stop. A failed step is retried."""
        pause = SHORTEST_LOOK
        while not stopping():
            try:
                if self._advance(stopping):
                    return
            except Unavailable as error:
                log.warning("%s: %s", self.spec.name, error)
                pause = LONGEST_LOOK
            time.sleep(pause)
            pause = min(LONGEST_LOOK, pause * 2)

    def _advance(self, stopping: Callable[[], bool]) -> bool:
        self._register()
        status = self._own_status()
        if status.origins[self.host].high < self.manifest.total:
            self._enqueue(status.origins[self.host].high, stopping)
        self._seal()
        self._fold()  # little by little, so that the end is not one long sum
        status = self._own_status()
        if not self._converged(status):
            return False
        self._publish(status)
        self._end(status)
        return True

    def _own_status(self) -> JobStatus:
        return self.own.call(
            lambda client: JobStore(client, self.spec.name).status(self.spec.origins)
        )

    def _register(self) -> None:
        """Make the job known on every replica, also on one that lost it."""

        def know(client: redis.Redis, name: str) -> None:
            registry = Registry(client)
            if name not in self._registered or (
                name == self.host and not registry.is_open(self.spec.name)
            ):
                registry.open(self.spec)

        self._registered.update(self.replicas.call_all(know))

    def _enqueue(self, high: int, stopping: Callable[[], bool]) -> None:
        done = self._applied_anywhere() if high == 0 else b""
        total = self.manifest.total
        for first in range(high + 1, total + 1, ENQUEUE_SPLITS):
            last = min(total, first + ENQUEUE_SPLITS - 1)
            # What some replica has comes back by repair. The last split is enqueued
            # all the same, so that the high-water mark tells of a finished enqueue.
            tasks = [
                (seq, task)
                for seq, task in self.manifest.tasks(first, last)
                if seq == total or not bitmap.contains(done, seq)
            ]
            while self._queue(TaskQueue.backlog) > BACKLOG_SPLITS:
                if stopping():
                    return
                time.sleep(LONGEST_LOOK)
            self._queue(partial(TaskQueue.enqueue, tasks=tasks))

    def _requeue(self) -> None:
        """Put back what is in no queue and on no replica, after more than one of them was lost."""
        here = self._applied_anywhere()
        dead = self._own_dead()
        lost = [
            seq
            for seq in range(1, self.manifest.total + 1)
            if not bitmap.contains(here, seq) and f"{self.host}/{seq}" not in dead
        ]
        if lost:
            tasks = [(seq, self.manifest.task(seq)) for seq in lost[:ENQUEUE_SPLITS]]
            added = self._queue(partial(TaskQueue.requeue, tasks=tasks))
            log.warning("%s: %d splits were lost, %d put back", self.spec.name, len(lost), added)

    def _own_dead(self) -> dict[str, Any]:
        dead = self.own.call(lambda client: JobStore(client, self.spec.name).dead())
        return {dot: error for dot, error in dead.items() if dot.startswith(self.host + "/")}

    def _queue(self, work: Callable[[TaskQueue], int]) -> int:
        return self.own.call(lambda client: work(TaskQueue(client, self.spec.name, self.host)))

    def _applied_anywhere(self) -> bytes:
        found = self.replicas.call_all(
            lambda client, _: JobStore(client, self.spec.name).bitmap(self.host)
        )
        return bitmap.union(list(found.values()))

    def _seal(self) -> None:
        def seal(client: redis.Redis, _: str) -> None:
            JobStore(client, self.spec.name).seal(self.host, self.manifest.total)

        self.replicas.call_all(seal)

    def _converged(self, own: JobStatus) -> bool:
        """Whether all replicas have all dots of all origins. Mends what is this driver's to mend:

        its origin's dots everywhere, and any origin's dots on its own host's replica.
        """
        if not own.origins[self.host].settled:
            if self._queue(TaskQueue.backlog) == 0:  # nothing in flight, yet not all applied
                self._repair([self.host])
                self._requeue()
            return False
        found = self.replicas.call_all(
            lambda client, _: JobStore(client, self.spec.name).status(self.spec.origins)
        )
        mine = [status.origins[self.host] for status in found.values()]
        if len({origin.digest for origin in mine}) > 1 or not all(o.settled for o in mine):
            self._repair([self.host])
            return False
        if self._is_stale(own, found):
            self._repair(self.spec.origins)
            return False
        digests = {status.digest for status in found.values()}
        settled = all(status.settled for status in found.values())
        return settled and len(digests) == 1 and len(found) == len(self.replicas.all)

    def _is_stale(self, own: JobStatus, found: dict[str, JobStatus]) -> bool:
        """Whether this host's replica stands still, and differs from another.

        The other origins' drivers may be done, and so not look at it any more.
        """
        behind = any(status.digest != own.digest for status in found.values())
        still = self._last_digest == own.digest
        self._last_digest = own.digest
        self._still = self._still + 1 if behind and still else 0
        return self._still >= STALE_LOOKS

    def _repair(self, origins: Sequence[str]) -> None:
        report = Repair(self.replicas, self.spec.name, origins).run()
        if report.copied:
            log.info("%s: copied %d deltas between replicas", self.spec.name, report.copied)

    def _fold(self) -> None:
        self.own.call(lambda client: self._view.refresh(JobStore(client, self.spec.name)))

    def _publish(self, status: JobStatus) -> None:
        if status.published != status.digest:
            self._fold()  # what was applied between the last look and the status
            self.own.call(
                lambda client: publish(
                    client, self.spec.name, self.host, self._view.tally, status.digest
                )
            )

    def _end(self, status: JobStatus) -> None:
        store_dead = self.own.call(lambda client: JobStore(client, self.spec.name).dead())
        latencies = sorted(self.own.call(lambda c: JobStore(c, self.spec.name).latencies()))
        outcome: dict[str, Any] = {
            "job": self.spec.name,
            "complete": not store_dead,
            "dead": store_dead,
            "splits": self.manifest.total,
            "bytes": self.manifest.total_bytes,
            "stats": status.stats,
            "state": status.digest,
            "ended": time.time(),
            "seconds": time.time() - self._started,
            "latency_median": latencies[len(latencies) // 2] if latencies else None,
            "latency_max": latencies[-1] if latencies else None,
        }
        self.folder.end(outcome)
        self.own.call(lambda client: Registry(client).close(self.spec.name))
        log.info("%s: ended after %.1f s", self.spec.name, outcome["seconds"])
