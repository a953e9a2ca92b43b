"""The worker: claims splits, counts their words, commits the counts to every replica.

Stateless: everything it knows is in Redis or in the input, so it may die between any two
instructions. It serves every open job, a batch of each in turn (wc/worker/step.py). With ``--job``
it works on one job and exits 0 when every manifest is sealed and every dot is settled; else it runs
until it is asked to stop.
"""

from __future__ import annotations

import logging
import os
import time

from wc.backends.api import Unavailable
from wc.backends.redis.replica_set import ReplicaSet
from wc.core.config import Config
from wc.jobs.spec import JobSpec
from wc.worker.crash_points import CrashPoints
from wc.worker.open_jobs import OpenJobs
from wc.worker.step import Stepper

log = logging.getLogger(__name__)

#: Seconds that an idle worker waits for a wake-up before it looks for work again.
IDLE_SECONDS = 1.0
#: The same while jobs are open but no split is free: leases may run out any moment.
POLL_SECONDS = 0.1


class Worker:
    """One worker process; ``index`` is which worker of the host it is."""

    def __init__(self, config: Config, index: int) -> None:
        self._place = f"{config.host}/worker-{index}"
        # With the process id, a restarted worker is not taken for its predecessor.
        self.name = f"{self._place}:{os.getpid()}"
        self.stopping = False
        self.crash = CrashPoints(config.jobs.parent / "crash" / f"worker-{index}.json")
        self._replicas = ReplicaSet(config, "worker")
        self._replicas.watch()
        self._jobs = OpenJobs(self._replicas)
        self._stepper = Stepper(
            config, self.name, self._replicas, self.crash, lambda: self.stopping
        )
        self._last_wake = b"0"

    def run(self, job: str | None = None) -> None:
        """Work until asked to stop; with ``job``, until all of that job is settled."""
        while not self.stopping:
            jobs = [spec for spec in self._jobs.specs() if job in (None, spec.name)]
            jobs = [spec for spec in jobs if self.serves(spec)]
            progress = [self._stepper.step(spec) for spec in jobs]  # a batch of each
            if any(progress):
                continue
            self._stepper.wait()
            if job is not None and (not jobs or self._settled(jobs[0])):
                break
            self._idle(POLL_SECONDS if jobs else IDLE_SECONDS)
        self._stepper.wait()

    def serves(self, spec: JobSpec) -> bool:
        """Whether this worker counts for the job: always, unless the job names other workers, and
        all their hosts answer. Of a job whose workers' host is gone nobody would do the rest."""
        if not spec.workers or self._place in spec.workers:
            return True
        hosts = {worker.partition("/")[0] for worker in spec.workers}
        return any(r.name in hosts and not r.available() for r in self._replicas.all)

    def close(self) -> None:
        self._stepper.close()
        self._replicas.close()

    def _settled(self, spec: JobSpec) -> bool:
        for replica in self._replicas.available():
            try:
                return replica.job(spec.name).status(spec.origins).settled
            except Unavailable:
                continue
        return False

    def _idle(self, seconds: float) -> None:
        own = self._replicas.all[0]
        if own.available():
            try:
                self._last_wake = own.registry.wait(seconds, self._last_wake)
            except Unavailable as error:
                log.warning("%s", error)
            self._jobs.refresh()
        else:
            time.sleep(seconds)
