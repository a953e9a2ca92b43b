"""One job as one origin's driver runs it.

Register, put the origin's splits through its outbox, then watch until every dot is settled,
the replicas agree, and this host's replica has published the counts. Each step looks at what
the replicas have and does what is missing, so the same loop starts a job, resumes it after
the driver died, and puts back what a Redis lost.

Origins that are away are adopted (wc/driver/adoption.py): their splits go through outboxes here.
The job then ends without the replicas that are away, which catch up later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core.config import Config
from wc.counts.kernel import AbstractTally
from wc.crdt.status import JobStatus
from wc.driver.adoption import Adoption
from wc.driver.outbox import Outbox
from wc.driver.poll_interval import Pace, Stillness
from wc.driver.progress import Progress
from wc.driver.sum_leader import Summing
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import Manifest
from wc.replication.delta_archive import Archive
from wc.replication.merged_view import View
from wc.replication.midway import Midway
from wc.replication.read_repair import Repair

log = logging.getLogger(__name__)

#: Seconds without any change after which a replica that lacks something asks the others.
STALE_SECONDS = 0.75


class JobRun:
    """The driver's side of one job on one origin."""

    def __init__(self, folder: JobFolder, replicas: ReplicaSet, config: Config) -> None:
        spec = folder.spec()
        assert spec is not None  # the daemon runs submitted jobs only  # noqa: S101
        self.spec = spec
        self.folder = folder
        self.host = config.host
        self.replicas = replicas
        self.own = replicas.by_name[config.host]
        self._store = self.own.job(spec.name)
        self._adoption = Adoption(
            replicas, self.own, spec, config.adopt_after_seconds, self._outbox
        )
        self._archive = Archive(folder.path)
        self._midway = Midway(replicas, self.own, spec, self._archive, config.compact_bytes)
        self._summing = Summing(replicas, self.own, spec.name, spec.origins)
        self._started = time.time()
        self._view = View(spec.origins)
        self._registered: set[str] = set()
        self._counted = self._started
        self._pace = Pace(time.monotonic())
        self._behind, self._idle = Stillness(STALE_SECONDS), Stillness(STALE_SECONDS)
        self._loaded = 0
        self._load()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Return when the outcome is on disk, or when asked to stop. A failed step is retried."""
        while not stopping():
            try:
                if self._advance(stopping):
                    return
            except Unavailable as error:
                log.warning("%s: %s", self.spec.name, error)
                self._pace.wait()
            time.sleep(self._pace.rest)

    def _load(self) -> None:
        """Read the manifest, unless it is the one that is known."""
        written = self.folder.manifest_path.stat().st_mtime_ns
        if written != self._loaded:
            self.outbox = self._outbox(self.host, self.folder.manifest())
            self._progress = Progress(self.host, self.outbox.manifest)
            self._loaded = written
            self._registered.clear()

    def _outbox(self, origin: str, files: Manifest) -> Outbox:
        return Outbox(self.replicas, self.own, self.spec.name, origin, files, self._archive)

    def _advance(self, stopping: Callable[[], bool]) -> bool:
        self._load()
        self._register()
        status = self._status()
        self._send(self.outbox, status, stopping)
        away = self._adoption.away()
        if strange := self._adoption.look(away):
            self._repair(sorted(strange))  # another replica may know the manifest
        for outbox in self._adoption.outboxes.values():
            self._send(outbox, status, stopping)
        begun = time.monotonic()
        if self._summing.is_mine():
            self._fold()  # little by little, so that the end is not one long sum
        folding = time.monotonic() - begun
        self._midway.look(status)
        status = self._status()
        self._pace.look(status, folding, time.monotonic())
        self._note()
        boxes = (self.outbox, *self._adoption.outboxes.values())
        tended = [self._tend(box, status) for box in boxes]
        if not all(tended) or not self._converged(status, away) or not self._publish(status):
            return False
        self._end(status, away)
        return True

    def _status(self) -> JobStatus:
        return self._store.status(self.spec.origins)

    def _note(self, **changes: str) -> None:
        look = self._progress.look(self._store)
        try:
            self.folder.write_progress(look | changes)
        except OSError as error:  # a full disk keeps nobody from counting
            log.warning("%s: %s", self.spec.name, error)

    def _register(self) -> None:
        """Make the job and this origin's manifest known on every replica, also on one that lost
        them."""

        def know(replica: Replica) -> None:
            if replica.name not in self._registered or (
                replica.name == self.host and not replica.registry.is_open(self.spec.name)
            ):
                replica.registry.open(self.spec)

        before = len(self._registered)
        self._registered.update(self.replicas.ask_all(know))
        if len(self._registered) > before:
            self.outbox.share()

    # Splits on their way.

    def _send(self, outbox: Outbox, status: JobStatus, stopping: Callable[[], bool]) -> None:
        high = status.origins[outbox.origin].high
        if high < outbox.manifest.total:
            outbox.enqueue(high, stopping)
        outbox.seal()

    def _tend(self, outbox: Outbox, own: JobStatus) -> bool:
        """Whether all splits of an outbox are settled here. Puts back what was lost."""
        status = own.origins[outbox.origin]
        if status.retracted < len(outbox.manifest.retracted()):
            outbox.retract()
            return False
        if not status.settled:
            if outbox.backlog() == 0:  # nothing in flight, yet not all applied
                self._repair([outbox.origin])
                outbox.requeue()
            elif self._idle.lasts(own.digest, time.monotonic()):
                # Queued, and nobody takes it: to those who have it the job may have ended.
                self._repair([outbox.origin])
            return False
        return True

    # The end.

    def _converged(self, own: JobStatus, away: set[str]) -> bool:
        """Whether all replicas that are not away have all dots of all origins, as ``own``, which
        is what will be published, has. Mends what is this driver's to mend: its origin's dots
        everywhere, and any origin's on its own replica."""
        found = self.replicas.ask_all(
            lambda replica: replica.job(self.spec.name).status(self.spec.origins)
        )
        mine = [status.origins[self.host] for status in found.values()]
        if any(o.copied_revision < self.outbox.manifest.revision for o in mine):
            self.outbox.share()
        if len({origin.digest for origin in mine}) > 1 or not all(o.settled for o in mine):
            self._repair([self.host])
            return False
        if self._is_stale(own, found):
            self._repair(self.spec.origins)
            return False
        digests = {status.digest for status in found.values()}
        settled = all(self._is_settled(status, away) for status in found.values())
        missing = self.replicas.by_name.keys() - found.keys()
        # The own replica has been asked again: it may have more by now than ``own``.
        return settled and digests == {own.digest} and missing <= away

    def _is_settled(self, status: JobStatus, away: set[str]) -> bool:
        revision = self.outbox.manifest.revision
        return status.settled and all(
            o.revision >= revision or name in away for name, o in status.origins.items()
        )

    def _is_stale(self, own: JobStatus, found: dict[str, JobStatus]) -> bool:
        """Whether this host's replica stands still, and differs from another.

        The other origins' drivers may be done, and so not look at it any more.
        """
        behind = any(status.digest != own.digest for status in found.values())
        return self._behind.lasts((behind, own.digest), time.monotonic()) and behind

    def _repair(self, origins: Sequence[str]) -> None:
        repair = Repair(self.replicas, self.spec.name, origins, archive=self._archive)
        report = repair.run()
        if report.copied:
            log.info("%s: copied %d dots between replicas", self.spec.name, report.copied)

    def _fold(self) -> None:
        self._view.refresh(self._store)

    def _publish(self, status: JobStatus) -> bool:
        """Whether the counts are published here. Not yet, while another driver sums them up."""
        if status.published == status.digest:
            return True
        tally = self._sum(status)
        if tally is None:
            return False
        self._note(phase="publishing")
        begun = time.monotonic()
        words = self._store.publish(self.host, tally, status.digest, self.spec.publish)
        self._summing.withdraw()
        seconds = time.monotonic() - begun
        log.info("%s: published %d words in %.1f s", self.spec.name, words, seconds)
        return True

    def _sum(self, status: JobStatus) -> AbstractTally | None:
        """All counts, or as much of them as is published; None while they are to come from another
        driver."""
        if self._summing.is_anothers():
            if (taken := self._summing.take(status.digest)) is not None:
                self._counted = time.time()
                log.info("%s: summed up by another driver", self.spec.name)
                return taken
            if not self._summing.is_late(status.digest):
                self._pace.soon()
                return None
        self._fold()  # what was applied between the last look and the status
        self._counted = time.time()
        if self._status().digest == status.digest:  # it is the sum of that, and of no more
            self._summing.offer(status.digest, self._view.tally, self.spec.publish)
        return self._view.tally

    def _end(self, status: JobStatus, away: set[str]) -> None:
        dead = self._store.dead()
        latencies = sorted(self._store.latencies())
        files = self.outbox.manifest
        outcome: dict[str, Any] = {
            "job": self.spec.name,
            "revision": files.revision,
            "complete": not dead,
            "dead": dead,
            "away": sorted(away),
            "splits": files.total,
            "bytes": files.total_bytes,
            "stats": status.stats,
            "state": status.digest,
            "counted": self._counted,
            "ended": time.time(),
            "seconds": time.time() - self._started,
            "latency_median": latencies[len(latencies) // 2] if latencies else None,
            "latency_max": latencies[-1] if latencies else None,
        }
        self._note()
        self.folder.write_outcome(outcome)
        self.own.registry.close(self.spec.name)
        log.info("%s: ended after %.1f s", self.spec.name, outcome["seconds"])
