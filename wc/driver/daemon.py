"""The driver: one daemon per origin that runs the jobs submitted to its host.

Jobs are folders on its disk (wc/jobs/folder.py). A job without an outcome is run. One with an
outcome is audited now and then: a Redis that was killed before its next checkpoint may have
forgotten what it had published, or given-up splits are to be tried again. Then the job is run
again, which costs no counting where a peer has the deltas.

A host that lost its disk gets its jobs back from what its peers keep. Jobs that have ended are
compacted once they have been at rest for a while.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass

from wc.backends.api import Unavailable
from wc.backends.redis.replica_set import ReplicaSet
from wc.core.config import Config
from wc.counts.delta import DeltaError
from wc.driver.job_loop import JobRun
from wc.driver.job_restore import restore
from wc.jobs.doorbell import Doorbell
from wc.jobs.folder import JobFolder, folders
from wc.jobs.manifest import ManifestError
from wc.jobs.spec import JobSpec, SpecError
from wc.replication.compaction import compact
from wc.replication.delta_archive import Archive
from wc.replication.job_deletion import JobDeletion

log = logging.getLogger(__name__)

#: Seconds between two looks for new jobs, and between two audits of ended jobs.
POLL_SECONDS, AUDIT_SECONDS = 0.1, 1.0
#: Ended jobs that one audit looks at.
AUDIT_JOBS = 20


@dataclass
class Ended:
    """A job that has ended: the digest ``state`` that it published, when its manifest was
    ``written`` (ns), and since when it is known to be at rest (monotonic seconds)."""

    state: str
    written: int
    since: float
    compacted: bool = False


class Driver:
    """Runs each unfinished job in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.stop = threading.Event()
        self.replicas = ReplicaSet(config, "driver")
        self.replicas.watch()
        own = self.replicas.by_name[config.host]
        self._deletion = JobDeletion(self.replicas, own, config.jobs)
        self._running: dict[str, threading.Thread] = {}
        self._ended: dict[str, Ended] = {}
        self._refused: set[str] = set()

    def serve(self) -> None:
        doorbell = Doorbell(self.config.jobs)
        audit_at = time.monotonic() + AUDIT_SECONDS
        while not self.stop.is_set():
            self._start_jobs()
            if time.monotonic() >= audit_at:
                self._audit()
                self._delete()
                restore(self.replicas, self.config)
                audit_at = time.monotonic() + AUDIT_SECONDS
            doorbell.wait(POLL_SECONDS)
        doorbell.close()
        for thread in list(self._running.values()):  # each takes itself off when it ends
            thread.join()
        self.replicas.close()

    def _start_jobs(self) -> None:
        for folder in folders(self.config.jobs):
            name = folder.name
            if name in self._running or name in self._refused:
                continue
            written = folder.ended_mtime_ns()
            if name in self._ended and self._ended[name].written == written:
                continue
            self._ended.pop(name, None)
            try:
                if (outcome := folder.outcome()) is not None:
                    self._ended[name] = Ended(outcome["state"], written, time.monotonic())
                elif (spec := folder.spec()) is not None:
                    self._start(folder, spec)
            except (SpecError, ManifestError, OSError, ValueError, KeyError) as error:
                log.error("%s: %s", folder.path, error)
                self._refused.add(name)

    def _start(self, folder: JobFolder, spec: JobSpec) -> None:
        if foreign := sorted(set(spec.origins) - self.replicas.by_name.keys()):
            raise SpecError(
                f"job {spec.name} has splits of {', '.join(foreign)}, not of this cluster, whose "
                f"replicas are {', '.join(sorted(self.replicas.by_name))}; put the host back into "
                "the inventory, or fab delete-job"
            )
        run = JobRun(folder, self.replicas, self.config)
        manifest = run.outbox.manifest
        log.info("%s: %d splits, %d bytes", folder.name, manifest.total, manifest.total_bytes)
        thread = threading.Thread(target=self._run, args=(run,), name=folder.name, daemon=True)
        self._running[folder.name] = thread
        thread.start()

    def _run(self, run: JobRun) -> None:
        try:
            run.run(self.stop.is_set)
        except Exception:
            # Unforeseen: log it, and let the next look start the job again.
            log.exception("%s: interrupted", run.spec.name)
            self.stop.wait(AUDIT_SECONDS)
        finally:
            self._running.pop(run.spec.name, None)

    def _delete(self) -> None:
        """Delete here what was deleted elsewhere."""
        try:
            for job in self._deletion.run():
                self._refused.discard(job)
        except OSError as error:
            log.error("a deleted job's folder cannot be removed: %s", error)

    def _audit(self) -> None:
        """Look at a few ended jobs, in turn: is what they published still what there is?"""
        for job in list(self._ended)[:AUDIT_JOBS]:
            folder = JobFolder(self.config.jobs / job)
            ended = self._ended.pop(job)
            if not folder.path.exists():  # deleted
                continue
            try:
                published = self._is_published(folder, ended)
                if published:
                    self._close(folder)
                    self._compact(folder, ended)
            except Unavailable:
                published = True  # nobody knows now; a later audit will
            if published:
                self._ended[job] = ended  # at the end of the queue
            else:
                log.warning("%s: what was published is not what there is; looking again", job)
                folder.reopen()

    def _is_published(self, folder: JobFolder, ended: Ended) -> bool:
        spec = folder.spec()
        if spec is None:
            return True
        own = self.replicas.by_name[self.config.host]
        status = own.job(spec.name).status(spec.origins)
        return status.published == status.digest == ended.state and status.settled

    def _close(self, folder: JobFolder) -> None:
        """Close the job again: a peer may have opened it late."""
        self.replicas.by_name[self.config.host].registry.close(folder.name)

    def _compact(self, folder: JobFolder, ended: Ended) -> None:
        """Compact a job that has been at rest for a while, unless another is running."""
        rested = time.monotonic() - ended.since > self.config.compact_after_seconds
        spec = folder.spec()
        if ended.compacted or self._running or not rested or spec is None:
            return
        own = self.replicas.by_name[self.config.host]
        try:
            folded = compact(self.replicas, own, spec.name, spec.origins, Archive(folder.path))
        except (OSError, sqlite3.Error, DeltaError) as error:
            log.error("%s: cannot be compacted: %s", folder.path, error)
            ended.compacted = True
            return
        if folded is None:
            return  # a replica is away
        ended.compacted = True
        if folded:
            log.info("%s: folded %d splits into bases", folder.name, folded)
