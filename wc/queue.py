"""One origin's queue of splits: a stream with a consumer group, on the origin's own Redis.

A claim is a lease: it lasts as long as it is renewed, and what expires is taken over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import redis

from wc.keys import GROUP, JobKeys
from wc.manifest import Task, task_from_json


class Claim(NamedTuple):
    """A leased split. ``deliveries`` is 1 unless it was taken over from someone."""

    origin: str
    entry: str
    seq: int
    task: Task
    deliveries: int


class TaskQueue:
    """The queue of ``origin`` for one job. Calls raise what redis-py raises."""

    def __init__(self, client: redis.Redis, job: str, origin: str) -> None:
        self._redis: Any = client
        self.origin = origin
        self.keys = JobKeys(job)

    def enqueue(self, tasks: Iterable[tuple[int, Task]]) -> int:
        """Add splits above the high-water mark; the number added."""
        args: list[Any] = [self.origin]
        for seq, task in tasks:
            args += (seq, task.to_json())
        return int(self._redis.fcall("wc_enqueue", 2, self.keys.tasks, self.keys.manifest, *args))

    def requeue(self, tasks: Iterable[tuple[int, Task]]) -> int:
        """Put back splits that were lost with a Redis; 0 while anything is still queued."""
        args: list[Any] = []
        for seq, task in tasks:
            args += (seq, task.to_json())
        keys = (self.keys.tasks, self.keys.applied(self.origin))
        return int(self._redis.fcall("wc_requeue", len(keys), *keys, *args))

    def backlog(self) -> int:
        """Splits enqueued and not yet settled."""
        return int(self._redis.xlen(self.keys.tasks))

    def claim(self, consumer: str, most: int, block_ms: int | None = None) -> list[Claim]:
        """Lease up to ``most`` new splits; [] if there are none (also while no queue exists)."""
        try:
            reply = self._redis.xreadgroup(
                GROUP, consumer, {self.keys.tasks: ">"}, count=most, block=block_ms
            )
        except redis.ResponseError as error:
            if "NOGROUP" in str(error):  # before the first enqueue, or after a wiped Redis
                return []
            raise
        if not reply:
            return []
        return [self._claim(entry, fields) for entry, fields in reply[0][1] if fields]

    def _claim(self, entry: bytes, fields: dict[bytes, bytes]) -> Claim:
        task = task_from_json(fields[b"task"])
        return Claim(self.origin, entry.decode(), int(fields[b"seq"]), task, 1)

    def takeover(self, consumer: str, lease_ms: int, most: int, max_deliveries: int) -> list[Claim]:
        """Lease up to ``most`` splits whose lease has run out; bury those delivered too often."""
        keys = self.keys
        names = [keys.tasks, keys.dead, keys.errors, keys.stats]
        args = [self.origin, consumer, lease_ms, most, max_deliveries]
        reply = self._redis.fcall("wc_takeover", len(names), *names, *args)
        return [
            Claim(self.origin, entry.decode(), int(seq), task_from_json(task), int(deliveries))
            for entry, seq, task, deliveries in reply
        ]

    def renew(self, consumer: str, entries: Sequence[str]) -> list[bool]:
        """Renew leases; one bool an entry: still held, or lost to someone else."""
        reply = self._redis.fcall("wc_renew", 1, self.keys.tasks, consumer, *entries)
        return [bool(held) for held in reply]

    def fail(
        self, claim: Claim, error: dict[str, Any], *, final: bool, max_deliveries: int
    ) -> bool:
        """Record a failure. True if the split is now dead, False if it will be tried again."""
        keys = self.keys
        names = [keys.tasks, keys.errors, keys.dead, keys.stats]
        args = [self.origin, claim.seq, claim.entry, json.dumps(error), int(final), max_deliveries]
        return bool(self._redis.fcall("wc_fail", len(names), *names, *args))
