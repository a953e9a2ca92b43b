"""JobRegistry on Redis: a hash of specifications, a set of open jobs, a stream of wake-ups."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import redis

from wc.backends.redis import keys
from wc.backends.redis.keys import JobKeys
from wc.jobs.spec import JobSpec, SpecError
from wc.jobs.tombstones import Tombstones

log = logging.getLogger(__name__)

#: Wake-ups that are kept; a worker that missed one polls anyway.
WAKE_LENGTH = 16


class RedisJobRegistry:
    """See wc.backends.api.JobRegistry."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis: Any = client

    def open(self, spec: JobSpec) -> None:
        if self._redis.hexists(keys.DELETED, spec.name):
            return
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(keys.REGISTRY, spec.name, spec.to_json())
        pipe.sadd(keys.OPEN, spec.name)
        pipe.xadd(keys.WAKE, {"job": spec.name}, maxlen=WAKE_LENGTH)
        pipe.execute()

    def wake(self, job: str) -> None:
        self._redis.xadd(keys.WAKE, {"job": job}, maxlen=WAKE_LENGTH)

    def learn(self, specs: Iterable[JobSpec]) -> None:
        deleted = self.deleted()
        for spec in specs:
            if spec.name not in deleted:
                self._redis.hset(keys.REGISTRY, spec.name, spec.to_json())

    def close(self, job: str) -> None:
        self._redis.srem(keys.OPEN, job)

    def is_open(self, job: str) -> bool:
        pipe = self._redis.pipeline(transaction=False)
        pipe.sismember(keys.OPEN, job)
        pipe.hexists(keys.REGISTRY, job)
        return all(pipe.execute())

    def open_jobs(self) -> list[JobSpec]:
        names = list(self._redis.smembers(keys.OPEN))
        if not names:
            return []
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(keys.REGISTRY, *names)
        pipe.hmget(keys.DELETED, *names)
        texts, deleted = pipe.execute()
        rows = zip(names, texts, deleted, strict=True)
        return _read({name: text for name, text, gone in rows if text is not None and gone is None})

    def jobs(self) -> list[JobSpec]:
        return _read(self._texts())

    def unreadable(self) -> dict[str, str]:
        return _parse(self._texts())[1]

    def _texts(self) -> dict[bytes, bytes]:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(keys.REGISTRY)
        pipe.hkeys(keys.DELETED)
        specs, deleted = pipe.execute()
        return {name: specs[name] for name in specs.keys() - set(deleted)}

    def deleted(self) -> dict[str, list[str]]:
        raw = self._redis.hgetall(keys.DELETED)
        return {name.decode(): json.loads(origins) for name, origins in raw.items()}

    def delete(self, tombstones: Tombstones) -> None:
        # In this order: a Redis without memory refuses the second.
        self.purge(tombstones)
        for name, origins in tombstones.items():
            self._redis.hset(keys.DELETED, name, json.dumps(sorted(origins)))

    def purge(self, tombstones: Tombstones) -> None:
        # Removing what is not there costs no checkpoint. No transaction: a Redis without memory
        # queues none.
        for name, origins in tombstones.items():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hdel(keys.REGISTRY, name)
            pipe.srem(keys.OPEN, name)
            pipe.unlink(*JobKeys(name).all(origins))
            pipe.execute()

    def memory(self, spec: JobSpec) -> int:
        pipe = self._redis.pipeline(transaction=False)
        for key in JobKeys(spec.name).all(spec.origins):
            pipe.memory_usage(key)
        return sum(size or 0 for size in pipe.execute())

    def wait(self, seconds: float, since: bytes) -> bytes:
        found = self._redis.xread({keys.WAKE: since}, block=max(1, int(seconds * 1000)))
        return found[0][1][-1][0] if found else since

    def repair_facts(self, host: str) -> Mapping[str, Any] | None:
        text = self._redis.hget(keys.REPAIR, host)
        return None if text is None else json.loads(text)

    def keep_repair_facts(self, host: str, text: str) -> None:
        if self._redis.hget(keys.REPAIR, host) != text.encode():
            self._redis.hset(keys.REPAIR, host, text)


def _read(texts: Mapping[bytes, bytes]) -> list[JobSpec]:
    """The specifications that this version can read, oldest first. Another one is logged, once a
    process, and stops no other job."""
    specs, unreadable = _parse(texts)
    for reason in unreadable.values():
        _log_once(reason)
    return sorted(specs, key=lambda spec: (spec.created, spec.name))


def _parse(texts: Mapping[bytes, bytes]) -> tuple[list[JobSpec], dict[str, str]]:
    """Specifications, and why others cannot be read, by job."""
    specs, unreadable = [], {}
    for raw, text in texts.items():
        name = raw.decode(errors="backslashreplace")
        try:
            spec = JobSpec.from_json(text)
            if spec.name != name:
                raise SpecError(f"its specification is that of job {spec.name}")
            specs.append(spec)
        except SpecError as error:
            about = f"job {name}: "
            unreadable[name] = about + str(error).removeprefix(about)
    return specs, unreadable


@cache
def _log_once(message: str) -> None:
    log.error("%s", message)
