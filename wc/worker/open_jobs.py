"""The open jobs: a list from the nearest replica that answers, read again now and then."""

from __future__ import annotations

import logging
import time

from wc.backends.api import Unavailable
from wc.backends.redis.replica_set import ReplicaSet
from wc.jobs.spec import JobSpec

log = logging.getLogger(__name__)

#: Seconds after which the list is read again while there is work.
JOBS_SECONDS = 0.25


class OpenJobs:
    """The list of open jobs, kept for JOBS_SECONDS."""

    def __init__(self, replicas: ReplicaSet) -> None:
        self._replicas = replicas
        self._jobs: list[JobSpec] = []
        self._until = 0.0
        self._no_answer = False

    def specs(self) -> list[JobSpec]:
        """The jobs; none while no replica answers."""
        now = time.monotonic()
        if now >= self._until or not self._jobs:
            self._jobs = self._read()
            self._until = now + JOBS_SECONDS
        return self._jobs

    def refresh(self) -> None:
        """Read the list again the next time."""
        self._until = 0.0

    def _read(self) -> list[JobSpec]:
        # The own host's replica knows every job; another is asked only if it is away.
        for replica in self._replicas.available():
            try:
                jobs = replica.registry.open_jobs()
            except Unavailable as error:
                log.warning("%s", error)
                continue
            if self._no_answer:
                log.info("%s answers again", replica.name)
            self._no_answer = False
            return jobs
        if not self._no_answer:
            log.warning("no replica answers; waiting until one does")
        self._no_answer = True
        return []
