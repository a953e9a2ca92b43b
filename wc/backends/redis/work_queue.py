"""WorkQueue on Redis: a stream with a consumer group for each origin; typed calls of lua/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import redis

from wc.backends.api import Claim
from wc.backends.redis.keys import JobKeys
from wc.jobs.splits import Split, split_from_json

#: A split is a straggler when it has been leased for this many times the median pace, and for
#: these seconds at least; between two speculative copies of a split there are these seconds.
STRAGGLER_FACTOR, STRAGGLER_SECONDS, COPY_SECONDS = 1.5, 1.0, 2.0


class RedisWorkQueue:
    """See wc.backends.api.WorkQueue. ``home`` is the replica's name."""

    def __init__(self, client: redis.Redis, job: str, home: str) -> None:
        self._redis: Any = client
        self.home = home
        self.keys = JobKeys(job)

    # The driver's side.

    def enqueue(self, origin: str, splits: Iterable[tuple[int, Split]]) -> int:
        args: list[Any] = [origin]
        for seq, split in splits:
            args += (seq, split.to_json())
        names = [self.keys.tasks(origin), self.keys.manifest]
        return int(self._redis.fcall("wc_enqueue", len(names), *names, *args))

    def requeue(self, origin: str, splits: Iterable[tuple[int, Split]]) -> int:
        args: list[Any] = []
        for seq, split in splits:
            args += (seq, split.to_json())
        keys = self.keys
        names = [keys.tasks(origin), keys.applied(origin), keys.retracted(origin)]
        return int(self._redis.fcall("wc_requeue", len(names), *names, *args))

    def restore(self, origin: str) -> None:
        self.enqueue(origin, [])  # which makes the group

    def backlog(self, origin: str) -> int:
        return int(self._redis.xlen(self.keys.tasks(origin)))

    # The workers' side.

    def claim(self, consumer: str, most: int, origins: Sequence[str]) -> list[Claim]:
        keys = self.keys
        names = [name for o in origins for name in (keys.tasks(o), keys.started(o))]
        reply = self._redis.fcall("wc_claim", len(names), *names, consumer, most, *origins)
        return [self._claim(row, 1) for row in reply]

    def _claim(self, row: Sequence[bytes], deliveries: int) -> Claim:
        origin, entry = row[0].decode(), row[1].decode()
        split = split_from_json(row[3])
        return Claim(self.home, origin, entry, int(row[2]), split, deliveries)

    def takeover(
        self, consumer: str, lease_ms: int, most: int, max_deliveries: int, origins: Sequence[str]
    ) -> list[Claim]:
        keys = self.keys
        names = [keys.dead, keys.errors, keys.stats]
        names += [name for o in origins for name in (keys.tasks(o), keys.retracted(o))]
        names += [*(keys.applied(o) for o in origins), keys.manifest]
        args = [consumer, lease_ms, most, max_deliveries, *origins]
        reply = self._redis.fcall("wc_takeover", len(names), *names, *args)
        return [self._claim(row, int(row[4])) for row in reply]

    def speculate(self, consumer: str, most: int, origins: Sequence[str]) -> list[Claim]:
        keys = self.keys
        names = [keys.pace, keys.stats]
        for origin in origins:
            names += [keys.tasks(origin), keys.started(origin), keys.copies(origin)]
        args = [consumer, STRAGGLER_FACTOR, STRAGGLER_SECONDS, COPY_SECONDS, most, *origins]
        reply = self._redis.fcall("wc_speculate", len(names), *names, *args)
        return [self._claim(row, 0) for row in reply]

    def renew(self, consumer: str, origin: str, entries: Sequence[str]) -> list[bool]:
        reply = self._redis.fcall("wc_renew", 1, self.keys.tasks(origin), consumer, *entries)
        return [bool(renewed) for renewed in reply]

    def drop(self, origin: str, claims: Iterable[Claim]) -> None:
        keys = self.keys
        names = [keys.tasks(origin), keys.started(origin), keys.copies(origin)]
        args = [value for claim in claims for value in (claim.seq, claim.entry)]
        self._redis.fcall("wc_drop", len(names), *names, *args)

    def fail(
        self,
        claim: Claim,
        error: dict[str, Any],
        *,
        final: bool,
        max_deliveries: int,
        consumer: str = "",
        others: Sequence[str] = (),
    ) -> bool:
        keys, origin = self.keys, claim.origin
        names = [keys.tasks(origin), keys.errors, keys.dead, keys.stats]
        names += [keys.retracted(origin), keys.applied(origin), keys.manifest]
        args = [origin, claim.seq, claim.entry, json.dumps(error), int(final), max_deliveries]
        args += [consumer, *others] if others else []
        return bool(self._redis.fcall("wc_fail", len(names), *names, *args))
