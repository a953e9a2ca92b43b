"""The replicas as one process sees them: a client each, a circuit breaker each, and fan-out.

redis-py would retry silently with back-off, and a dropped packet is a hang rather than
an error; so retries are off, every socket has a time-out, and a replica that failed is
left alone (circuit breaker) until a probe in the background has found it well again. So
a partition costs a process one time-out, not one per split, and no work waits for probes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wc import library
from wc.config import Config, ReplicaAddress

T = TypeVar("T")

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 4.0
#: Between two probes of a failed replica: doubling from the first to the second.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


class Unavailable(Exception):
    """A replica gave no answer. Whether a write happened there is unknown."""

    def __init__(self, replica: str, reason: str) -> None:
        super().__init__(f"replica {replica}: {reason}")
        self.replica = replica
        self.reason = reason


class Breaker:
    """A circuit breaker: opened by a failure, closed by a probe in the background."""

    def __init__(self, probe: Callable[[], bool], name: str) -> None:
        self._probe = probe
        self._name = name
        self._open = threading.Event()
        self._opened_at = 0.0
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether calls may go through."""
        return not self._open.is_set()

    def open_for(self) -> float:
        """Seconds since it was opened; 0 while it is closed."""
        return time.monotonic() - self._opened_at if self._open.is_set() else 0.0

    def failed(self) -> None:
        """Open the breaker, and look in the background when it may close."""
        with self._lock:
            if self._open.is_set() or self._ended.is_set():
                return
            self._opened_at = time.monotonic()
            self._open.set()
            threading.Thread(target=self._watch, name=f"probe-{self._name}", daemon=True).start()

    def end(self) -> None:
        """Probe no more."""
        self._ended.set()

    def _watch(self) -> None:
        pause = SHORTEST_PAUSE
        while not self._ended.wait(pause):
            if self._probe():
                self._open.clear()
                return
            pause = min(LONGEST_PAUSE, pause * 2)


class Replica:
    """One replica. ``call`` turns every way of not answering into Unavailable."""

    def __init__(self, address: ReplicaAddress, user: str, password: str) -> None:
        self.name = address.name
        self._may_load = user == "driver"
        self._breaker = Breaker(self._answers, address.name)
        self._client = redis.Redis(
            host=address.host,
            port=address.port,
            username=user,
            password=password,
            protocol=2,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )

    def available(self) -> bool:
        """Whether it answered last time, or has since."""
        return self._breaker.closed

    def away_for(self) -> float:
        """Seconds since it stopped answering; 0 while it answers."""
        return self._breaker.open_for()

    def call(self, work: Callable[[redis.Redis], T]) -> T:
        """Run ``work`` with the client. Raises Unavailable; other Redis errors pass through.

        A replica that does not answer is not asked again before a probe found it well.
        """
        if not self._breaker.closed:
            raise Unavailable(self.name, "does not answer; it is probed in the background")
        try:
            return self._with_library(work)
        except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
            self._breaker.failed()
            raise Unavailable(self.name, str(error) or type(error).__name__) from error

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (redis.RedisError, OSError):
            return False

    def _with_library(self, work: Callable[[redis.Redis], T]) -> T:
        try:
            return work(self._client)
        except redis.ResponseError as error:
            if not library.is_missing(error):
                raise
            # Redis was killed before its first save. Drivers put the library back.
            if not self._may_load:
                raise Unavailable(self.name, "function library is missing") from error
            library.load(self._client)
            return work(self._client)

    def close(self) -> None:
        self._breaker.end()
        self._client.close()


class ReplicaSet:
    """All replicas, called in parallel; the first of them is the caller's own host's."""

    def __init__(self, config: Config, user: str) -> None:
        password = config.password(user)
        ordered = sorted(config.replicas, key=lambda r: r.name != config.host)
        self.all = [Replica(address, user, password) for address in ordered]
        self.by_name = {replica.name: replica for replica in self.all}
        self._pool = ThreadPoolExecutor(max(1, len(self.all)), thread_name_prefix="replica")

    def available(self) -> list[Replica]:
        return [replica for replica in self.all if replica.available()]

    def call_all(
        self, work: Callable[[redis.Redis, str], T], among: Iterable[Replica] | None = None
    ) -> dict[str, T]:
        """Run ``work(client, name)`` on each replica whose breaker is closed; answers by name.

        A replica that did not answer is absent. Other errors are raised.
        """
        chosen = self.available() if among is None else list(among)
        if len(chosen) == 1:
            pairs = [(chosen[0].name, _attempt(chosen[0], work))]
        else:
            futures = [(r.name, self._pool.submit(_attempt, r, work)) for r in chosen]
            pairs = [(name, future.result()) for name, future in futures]
        return {name: answer[0] for name, answer in pairs if answer is not None}

    def close(self) -> None:
        self._pool.shutdown(wait=False)
        for replica in self.all:
            replica.close()


def _attempt(replica: Replica, work: Callable[[redis.Redis, str], T]) -> tuple[T] | None:
    try:
        return (replica.call(lambda client: work(client, replica.name)),)
    except Unavailable:
        return None
