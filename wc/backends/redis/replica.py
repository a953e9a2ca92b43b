"""One replica as one process sees it: a Redis client behind a circuit breaker.

redis-py would retry silently with back-off, and a dropped packet is a hang rather than an error;
so retries are off, every socket has a time-out, and a replica that failed is left alone until a
probe in the background has found it well again. A Redis that answers with an error may be one that
takes no writes now (no memory, a full disk, made a replica of another): the same probe tells, and
it is left alone as well. If the probe succeeds, the error is about that one call. A Redis that was
killed before its first save has lost its functions: who may load them (drivers) does so and asks
once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wc.backends.api import JobRegistry, Rejected, ResultStore, Unavailable, WorkQueue
from wc.backends.breaker import Breaker
from wc.backends.redis import functions
from wc.backends.redis.client import GuardedRedis
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.result_store import RedisResultStore
from wc.backends.redis.work_queue import RedisWorkQueue
from wc.core.config import Config, ReplicaAddress

T = TypeVar("T")

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 4.0
#: How long a replica may take to answer the watch (``check``).
WATCH_ANSWER_SECONDS = 2.0
#: A call that was refused is a trouble for so long: what matters is asked again sooner.
REFUSAL_SECONDS = 3.0

#: No answer; redis-py's RedisError beside these is an answer.
_NO_ANSWER = (redis.ConnectionError, redis.TimeoutError, OSError)


class Replica:
    """One replica. All that asks it raises Unavailable or Rejected.

    A replica that does not answer is not asked again before a probe has found it well.
    """

    def __init__(self, address: ReplicaAddress, user: str, password: str) -> None:
        self.name = address.name
        self._may_load = user == "driver"
        self._breaker = Breaker(self.why_no_writes, address.name)
        self._refusal, self._refused_at = "", 0.0
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "username": user,
            "password": password,
            "protocol": 2,
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
        }
        #: For the backend and for administration; all else asks ``job``, ``queue``, ``registry``.
        self.client = GuardedRedis(self._guard, **options, socket_timeout=ANSWER_SECONDS)
        self._watched = redis.Redis(**options, socket_timeout=WATCH_ANSWER_SECONDS)

    def job(self, name: str) -> ResultStore:
        """A job's results here."""
        return RedisResultStore(self.client, name)

    def queue(self, job: str) -> WorkQueue:
        """A job's queues here."""
        return RedisWorkQueue(self.client, job, self.name)

    @property
    def registry(self) -> JobRegistry:
        """The jobs known here."""
        return RedisJobRegistry(self.client)

    def server(self) -> dict[str, Any]:
        """What the server says of itself (INFO)."""
        info: Any = self.client.info()
        return dict(info)

    def available(self) -> bool:
        """Whether it answered last time, or has since."""
        return self._breaker.closed

    def away_for(self) -> float:
        """Seconds since it stopped answering; 0 while it answers."""
        return self._breaker.open_for()

    def trouble(self) -> str:
        """Why it cannot be used, or refused a call just now; "" if all is well."""
        recent = time.monotonic() - self._refused_at < REFUSAL_SECONDS
        return self._breaker.reason or (self._refusal if recent else "")

    def suspect(self) -> None:
        """It is slow to answer: leave it alone until it was probed."""
        self._breaker.failed("is slow to answer")

    def check(self) -> None:
        """Ask whether it is there, unless that is known, so that no work finds out first."""
        if not self._breaker.closed:
            return
        try:
            self._watched.ping()
        except _NO_ANSWER as error:
            self._breaker.failed(_text(error))
        except redis.RedisError:
            return  # it answers; what it takes is found out by whoever writes

    def close(self) -> None:
        self._breaker.end()
        self.client.close()
        self._watched.close()

    def why_no_writes(self) -> str:
        """Ask for a write that changes nothing, past the breaker. What the server says against it,
        or why it does not answer; "" if it takes writes."""
        keys = JobKeys("probe")
        names = [keys.tasks(""), keys.started(""), keys.copies("")]
        try:
            self.client.unguarded.fcall("wc_drop", len(names), *names)
        except (redis.RedisError, OSError) as error:
            return "" if functions.is_missing(error) else _text(error)
        return ""

    def _guard(self, round_trip: Callable[[], T]) -> T:
        if reason := self._breaker.reason:
            raise Unavailable(self.name, reason)
        try:
            return self._with_library(round_trip)
        except _NO_ANSWER as error:
            self._breaker.failed(_text(error))
            raise Unavailable(self.name, _text(error)) from error
        except redis.RedisError as error:
            self._refusal, self._refused_at = _text(error), time.monotonic()
            if reason := self.why_no_writes():
                self._breaker.failed(reason)
            raise Rejected(self.name, self._refusal) from error

    def _with_library(self, round_trip: Callable[[], T]) -> T:
        try:
            return round_trip()
        except redis.ResponseError as error:
            if not functions.is_missing(error):
                raise
            if not self._may_load:
                raise Rejected(self.name, "its function library is missing") from error
            functions.load(self.client.unguarded)
            return round_trip()


def _text(error: Exception) -> str:
    """What a person needs of an error: the server's own words with their code, or the client's."""
    text = str(error).rpartition(" of pipeline caused error: ")[2] or type(error).__name__
    code = getattr(error, "status_code", None)
    return f"{code} {text}" if code and not text.startswith(code) else text


def own_replica(config: Config) -> Replica:
    """A host's replica; where it has none (mode `single`), the one there is."""
    own = (r for r in config.replicas if r.name == config.host)
    return Replica(next(own, config.replicas[0]), "driver", config.password("driver"))
