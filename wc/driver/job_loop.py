"""One job as one origin's driver runs it.

Make it known, put the origin's splits through its outbox, then poll until every dot is settled, the
replicas agree, and this host's replica has published the counts. Each turn looks at what the
replicas have and does what is missing, so the same loop starts a job, resumes it after the driver
died, and puts back what a Redis lost.

Origins that are away are adopted (wc/driver/adoption.py): their splits go through outboxes here.
The job then ends without the replicas that are away, which catch up later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core.config import Config
from wc.crdt.status import JobStatus
from wc.driver.adoption import Adoption
from wc.driver.outbox import Outbox
from wc.driver.poll_interval import PollInterval, StallTimer
from wc.driver.sum_leader import Sum, SumLeadership
from wc.jobs import manifest as manifest_file
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import Manifest, ManifestError
from wc.replication.compaction import MidJobCompaction
from wc.replication.delta_archive import Archive
from wc.replication.merged_view import View
from wc.replication.progress import ProgressReader
from wc.replication.read_repair import Repair, Report

log = logging.getLogger(__name__)

#: Seconds without any change after which a replica that lacks something is repaired.
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
            replicas, self.own, spec, config.adopt_after_seconds, self._outbox, folder.planned
        )
        self._archive = Archive(folder.path)
        self._compaction = MidJobCompaction(
            replicas, self.own, spec, self._archive, config.compact_bytes
        )
        self._leadership = SumLeadership(replicas, self.own, spec.name, spec.origins)
        self._started = time.time()
        self._counted = self._started
        self._view, self._recounted = View(spec.origins), 0
        self._informed: set[str] = set()  # replicas that know the job
        self._unknown: set[str] = set()  # origins that are away with an unknown revision
        self._interval = PollInterval(time.monotonic())
        self._replica_stall, self._queue_stall, self._retract_stall = (
            StallTimer(STALE_SECONDS) for _ in range(3)
        )
        self._manifest_written = 0
        self._load_manifest()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Return when the outcome is on disk, the job was deleted, or when asked to stop.

        A failed turn is repeated.
        """
        while not stopping() and self.folder.path.exists():
            try:
                if self._turn():
                    return
            except FileNotFoundError:
                if self.folder.path.exists():
                    raise
            except Unavailable as error:
                log.warning("%s: %s", self.spec.name, error)
                self._write(self._progress.size | {"phase": "unreachable"}, error)
                self._interval.lengthen()
            time.sleep(self._interval.seconds)

    def _turn(self) -> bool:
        """Do what is missing. Whether the job has ended here."""
        self._load_manifest()
        self._make_known()
        status = self._status()
        self._send(self.outbox, status)
        away = self._adoption.away()
        if without_manifest := self._adoption.update(away):
            self._repair(sorted(without_manifest))  # another replica may have it
        for outbox in self._adoption.outboxes.values():
            self._send(outbox, status)
        self._retract_for_others(status)
        fold_started = time.monotonic()
        if self._leadership.is_leader():
            self._view.refresh(self._store)  # little by little, so that the end is not one long sum
        fold_seconds = time.monotonic() - fold_started
        self._compaction.run_if_due(status)
        status = self._status()
        self._interval.update(status, fold_seconds, time.monotonic())
        self._write_progress()
        outboxes = (self.outbox, *self._adoption.outboxes.values())
        stalled = self._queue_stall.expired(status.digest, time.monotonic())
        settled = [self._settle(outbox, status, stalled) for outbox in outboxes]
        if not all(settled) or not self._converged(status, away) or not self._publish(status):
            return False
        self._end(status, away)
        return True

    # The beginning.

    def _load_manifest(self) -> None:
        """Read the manifest, unless it is the one that was read last."""
        written = self.folder.manifest_path.stat().st_mtime_ns
        if written != self._manifest_written:
            self.outbox = self._outbox(self.host, self.folder.manifest())
            self._progress = ProgressReader(self.host, self.outbox.manifest)
            self._manifest_written = written
            self._informed.clear()

    def _outbox(self, origin: str, manifest: Manifest) -> Outbox:
        return Outbox(self.replicas, self.own, self.spec.name, origin, manifest, self._archive)

    def _status(self) -> JobStatus:
        status = self._store.status(self.spec.origins)
        if (recounted := status.stats.get("recounted", 0)) != self._recounted:
            # The view may have added counts that were forgotten since.
            self._recounted, self._view = recounted, View(self.spec.origins)
        return status

    def _write_progress(self, **changes: str) -> None:
        self._write(self._progress.read(self._store) | changes)

    def _write(self, progress: dict[str, Any], failure: Unavailable | None = None) -> None:
        """Write the progress, with what keeps this host's driver and workers waiting, for people:
        {"troubles": {who: why}}."""
        replicas = self.replicas.troubles()
        if failure is not None:
            replicas.setdefault(failure.replica, failure.reason)
        troubles = {f"replica {name}": why for name, why in replicas.items()}
        troubles |= {f"{self.host}/{who}": why for who, why in self.folder.waits().items()}
        try:
            self.folder.write_progress(progress | {"troubles": troubles})
        except OSError as error:  # a full disk keeps nobody from counting
            log.warning("%s: %s", self.spec.name, error)

    def _make_known(self) -> None:
        """Make the job and this origin's manifest known on every replica, also on one that lost
        them."""

        def inform(replica: Replica) -> None:
            if replica.name not in self._informed or (
                replica.name == self.host and not replica.registry.is_open(self.spec.name)
            ):
                replica.registry.open(self.spec)

        before = len(self._informed)
        self._informed.update(self.replicas.ask_all(inform))
        if len(self._informed) > before:
            self.outbox.share()

    # Splits on their way.

    def _send(self, outbox: Outbox, status: JobStatus) -> None:
        """Enqueue as much as there is room for, and seal once all is enqueued."""
        high = status.origins[outbox.origin].high
        if high >= outbox.manifest.total or outbox.enqueue(high):
            outbox.seal()

    def _settle(self, outbox: Outbox, own: JobStatus, stalled: bool) -> bool:
        """Whether all splits of an outbox are settled here. Puts back what was lost. ``stalled``:
        nothing was settled for a while."""
        status = own.origins[outbox.origin]
        if status.retracted < len(outbox.manifest.retracted()):
            outbox.retract()
            return False
        if not status.settled:
            if status.high >= outbox.manifest.total and outbox.backlog() == 0:
                # Nothing in flight, yet not all applied.
                self._repair([outbox.origin])
                outbox.requeue()
            elif stalled:
                # Queued, and nobody claims it: for workers elsewhere the job may have ended, or
                # they do not see the queue.
                self._repair([outbox.origin])
                outbox.restore()
            return False
        return True

    def _retract_for_others(self, status: JobStatus) -> None:
        """Retract what other origins list as retracted, once these have had time to do it. Their
        hosts may be new ones: then this host's archive has the counts, and theirs does not."""
        due = {n for n, o in status.origins.items() if o.retracted < o.retracted_total}
        if not self._retract_stall.expired(status.digest, time.monotonic()):
            return
        for origin in due - {self.host, *self._adoption.outboxes}:
            if (copy := self._store.manifest_copy(origin)) is not None:
                with suppress(ManifestError):  # a damaged copy: the origin has the manifest itself
                    self._outbox(origin, manifest_file.unpack(copy[1])).retract()

    # The end.

    def _converged(self, own: JobStatus, away: set[str]) -> bool:
        """Whether all replicas that are not away have all dots of all origins, as ``own``, the
        status that will be published. Repairs what this driver is responsible for: its origin's
        dots everywhere, and every origin's on its own replica."""
        statuses = self.replicas.ask_all(
            lambda replica: replica.job(self.spec.name).status(self.spec.origins)
        )
        mine = [status.origins[self.host] for status in statuses.values()]
        if any(o.copied_revision < self.outbox.manifest.revision for o in mine):
            self.outbox.share()
        if len({origin.digest for origin in mine}) > 1 or not all(o.settled for o in mine):
            if disputed := self._repair([self.host]).disputed:
                self._recount(disputed)
            return False
        if self._is_stale(own, statuses):
            self._repair(self.spec.origins)
            return False
        digests = {status.digest for status in statuses.values()}
        settled = all(self._is_settled(status) for status in statuses.values())
        self._report_revisions(own, away)
        missing = self.replicas.by_name.keys() - statuses.keys()
        # The own replica has been asked again: it may have more by now than ``own``.
        return settled and digests == {own.digest} and missing <= away

    def _is_settled(self, status: JobStatus) -> bool:
        revision = self.outbox.manifest.revision
        return status.settled and all(o.revision >= revision for o in status.origins.values())

    def _report_revisions(self, own: JobStatus, away: set[str]) -> None:
        """Log which origins are away with a revision that nobody else knows. Only they can tell
        whether it was activated there, so the job waits for them."""
        revision = self.outbox.manifest.revision
        unknown = {
            name for name in away & own.origins.keys() if own.origins[name].revision < revision
        }
        if unknown - self._unknown:
            log.warning(
                "%s: waits for %s: away, and its files of revision %d are not known here; "
                "should it be gone for good, `fab provision` it anew, "
                "and then `fab start-job --update --name %s`",
                self.spec.name, ", ".join(sorted(unknown)), revision, self.spec.name,
            )  # fmt: skip
        self._unknown = unknown

    def _is_stale(self, own: JobStatus, statuses: dict[str, JobStatus]) -> bool:
        """Whether this host's replica differs from another, in dots or in what it knows beside
        them, and has stopped changing: the other origins' drivers may have ended the job, and
        repair it no more."""
        differs = any(status.comparable != own.comparable for status in statuses.values())
        return self._replica_stall.expired((differs, own.digest), time.monotonic()) and differs

    def _recount(self, disputed: list[str]) -> None:
        """Have splits counted again of which replicas have different counts."""
        log.error(
            "%s: replicas have different counts of the same splits, which are counted again: %s",
            self.spec.name, ", ".join(disputed),
        )  # fmt: skip
        seqs = [int(dot.rpartition("/")[2]) for dot in disputed]
        self.replicas.ask_all(lambda replica: replica.job(self.spec.name).forget(self.host, seqs))

    def _repair(self, origins: Sequence[str]) -> Report:
        repair = Repair(self.replicas, self.spec.name, origins, archive=self._archive)
        report = repair.run()
        if report.copied:
            log.info("%s: copied %d dots between replicas", self.spec.name, report.copied)
        return report

    def _publish(self, status: JobStatus) -> bool:
        """Whether the counts are published here. Not yet, while another driver sums them up."""
        if status.published == status.digest:
            return True
        found = self._sum(status)
        if found is None:
            return False
        self._write_progress(phase="publishing")
        begun = time.monotonic()
        extent = self._store.publish(
            self.host, found.tally, status.digest, self.spec.publish, found.distinct
        )
        self._leadership.withdraw()
        seconds = time.monotonic() - begun
        log.info("%s: published %d words in %.1f s", self.spec.name, extent.words, seconds)
        return True

    def _sum(self, status: JobStatus) -> Sum | None:
        """All counts, or as many as are published; None while the leader has yet to offer them."""
        if self._leadership.is_follower():
            if (offered := self._leadership.take(status.digest)) is not None:
                self._counted = time.time()
                log.info("%s: summed up by another driver", self.spec.name)
                return offered
            if not self._leadership.is_late(status.digest):
                self._interval.shorten()
                return None
        view = self._view
        view.refresh(self._store)  # what was applied since the last fold
        self._counted = time.time()
        if self._status().digest == status.digest:  # the view is the sum of that, and of no more
            return self._leadership.offer(status.digest, view.tally, self.spec.publish)
        return Sum(view.tally, len(view.tally))

    def _end(self, status: JobStatus, away: set[str]) -> None:
        dead = self._store.dead()
        latencies = sorted(self._store.latencies())
        extent = self._store.extent()
        manifest = self.outbox.manifest
        end = {"counted": self._counted, "ended": time.time(), "away": sorted(away)}
        if manifest.revision:
            end["began"] = self._manifest_written / 1e9  # else it began when the job was created
        first = self.folder.first_end(manifest.revision)
        outcome: dict[str, Any] = {
            **self._progress.size,
            **end,
            # Later ends are of a job that had to be published again, and do not change its time.
            "first": end if first is None else first,
            "job": self.spec.name,
            "revision": manifest.revision,
            "complete": not dead,
            "dead": dead,
            "files": len(manifest.live),
            "stats": status.stats,
            "state": status.digest,
            "published": extent and extent._asdict(),
            "seconds": time.time() - self._started,
            "latency_median": latencies[len(latencies) // 2] if latencies else None,
            "latency_max": latencies[-1] if latencies else None,
        }
        self._write_progress()
        self.folder.write_outcome(outcome)
        self.own.registry.close(self.spec.name)
        log.info("%s: ended after %.1f s", self.spec.name, outcome["seconds"])
