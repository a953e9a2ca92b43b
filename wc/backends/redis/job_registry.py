"""Which jobs a replica knows, and which of them still have work: a hash, a set, a wake-up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import redis

from wc.backends.redis import keys
from wc.jobs.spec import JobSpec, readable

#: Wake-ups older than this many are trimmed; a worker that missed one polls anyway.
WAKE_LENGTH = 16


class Registry:
    """The jobs one replica knows. Calls raise what redis-py raises."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def open(self, spec: JobSpec) -> None:
        """Make a job known and wake idle workers. Idempotent."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(keys.REGISTRY, spec.name, spec.to_json())
        pipe.sadd(keys.OPEN, spec.name)
        pipe.xadd(keys.WAKE, {"job": spec.name}, maxlen=WAKE_LENGTH)
        pipe.execute()

    def wake(self, job: str) -> None:
        """Wake idle workers: the job has splits for them."""
        self._redis.xadd(keys.WAKE, {"job": job}, maxlen=WAKE_LENGTH)

    def learn(self, specs: Iterable[JobSpec]) -> None:
        """Know these jobs too, without opening them."""
        for spec in specs:
            self._redis.hset(keys.REGISTRY, spec.name, spec.to_json())

    def close(self, job: str) -> None:
        """The job has no work left for this replica's host."""
        self._redis.srem(keys.OPEN, job)

    def is_open(self, job: str) -> bool:
        return bool(self._redis.sismember(keys.OPEN, job))

    def open_jobs(self) -> list[JobSpec]:
        """Jobs with work, oldest first."""
        names = self._redis.smembers(keys.OPEN)
        return readable(self._redis.hmget(keys.REGISTRY, *names)) if names else []

    def jobs(self) -> list[JobSpec]:
        """All jobs, oldest first."""
        return readable(self._redis.hgetall(keys.REGISTRY).values())

    def wait(self, seconds: float, since: bytes) -> bytes:
        """Return when workers were woken, or after ``seconds``: the last wake-up's id, for
        ``since`` of the next call, which so misses none. The first may have b"0"."""
        found = self._redis.xread({keys.WAKE: since}, block=max(1, int(seconds * 1000)))
        return found[0][1][-1][0] if found else since
