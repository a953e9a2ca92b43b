"""Following a job on one host: what its origin's splits and replica have come to, again and again.

Bytes are counted exactly, by looking up the splits that are new since the last look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import redis

from wc import bitmap
from wc.config import Config
from wc.jobfiles import JobFolder
from wc.replicas import Replica, Unavailable
from wc.store import JobStore

LOOK_SECONDS = 0.2


class Progress:
    """One origin's progress. ``look`` gives a JSON object:

    origin, phase (enqueueing, counting, converging, publishing, done), splits, applied, dead,
    bytes (total), counted (bytes), and at the end outcome; or error, if the host's Redis does not
    answer.
    """

    def __init__(self, folder: JobFolder, replica: Replica, origin: str) -> None:
        self._folder = folder
        self._replica = replica
        self._origin = origin
        self._manifest = folder.manifest()
        self._retracted = set(self._manifest.retracted())
        self._seen = b""
        self._counted = 0

    def look(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "origin": self._origin,
            "splits": self._manifest.total,
            "bytes": self._manifest.total_bytes,
        }
        # The outcome first: what is read after it cannot be older than it.
        outcome = self._folder.outcome()
        try:
            return answer | self._ask() | ({"phase": "done", "outcome": outcome} if outcome else {})
        except (Unavailable, redis.RedisError) as error:
            return answer | {"phase": "unreachable", "error": str(error)}

    def _ask(self) -> dict[str, Any]:
        job = self._folder.name

        def read(client: redis.Redis) -> dict[str, Any]:
            store = JobStore(client, job)
            status = store.status([self._origin]).origins[self._origin]
            applied = store.holding(self._origin).applied
            for seq in bitmap.members(bitmap.missing(self._seen, applied)):
                if seq not in self._retracted and seq <= self._manifest.total:
                    self._counted += self._manifest.task(seq).length
            self._seen = bitmap.union([self._seen, applied])
            phase = "converging" if status.settled else "counting"
            if status.settled and client.exists(store.keys.publishing(self._origin)):
                phase = "publishing"
            return {
                "phase": "enqueueing" if status.total is None else phase,
                "applied": status.applied,
                "dead": status.dead,
                "counted": self._counted,
            }

        return self._replica.call(read)


def watch(config: Config, job: str, replica: Replica) -> Iterator[dict[str, Any]]:
    """Looks until the job has ended here. Raises FileNotFoundError for a job not submitted here."""
    progress = Progress(JobFolder(config.jobs / job), replica, config.host)
    while True:
        look = progress.look()
        yield look
        if look["phase"] == "done":
            return
        time.sleep(LOOK_SECONDS)
