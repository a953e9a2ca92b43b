"""One origin's queue of splits: a stream with a consumer group, on the origin's own Redis.

A claim is a lease: it lasts as long as it is renewed, and what expires is taken over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import redis

from wc.keys import JobKeys
from wc.manifest import Task, task_from_json

#: A split is a straggler when it has been held for this many times the median pace, and these
#: seconds at least; a second copy of the same split is handed out after these seconds.
STRAGGLER_FACTOR, STRAGGLER_SECONDS, COPY_SECONDS = 1.5, 1.0, 2.0


class Claim(NamedTuple):
    """A split to count. ``deliveries`` is 1 for a new lease, more for one taken over, and 0 for a
    speculative copy, which has no lease."""

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

    def claim(self, consumer: str, most: int) -> list[Claim]:
        """Lease up to ``most`` new splits; [] if there are none (also while no queue exists)."""
        reply = self._redis.fcall("wc_claim", 2, self.keys.tasks, self.keys.started, consumer, most)
        return [self._claim(row, 1) for row in reply]

    def _claim(self, row: Sequence[bytes], deliveries: int) -> Claim:
        entry, seq, task = row[:3]
        return Claim(self.origin, entry.decode(), int(seq), task_from_json(task), deliveries)

    def takeover(self, consumer: str, lease_ms: int, most: int, max_deliveries: int) -> list[Claim]:
        """Lease up to ``most`` splits whose lease has run out; bury those delivered too often."""
        keys = self.keys
        names = [keys.tasks, keys.dead, keys.errors, keys.stats]
        args = [self.origin, consumer, lease_ms, most, max_deliveries]
        reply = self._redis.fcall("wc_takeover", len(names), *names, *args)
        return [self._claim(row, int(row[3])) for row in reply]

    def speculate(self, consumer: str, most: int) -> list[Claim]:
        """Up to ``most`` stragglers of others to run a second copy of; they keep their leases."""
        keys = self.keys
        names = [keys.tasks, keys.started, keys.pace, keys.copies, keys.stats]
        args = [consumer, STRAGGLER_FACTOR, STRAGGLER_SECONDS, COPY_SECONDS, most]
        return [
            self._claim(row, 0)
            for row in self._redis.fcall("wc_speculate", len(names), *names, *args)
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
