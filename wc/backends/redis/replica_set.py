"""The replicas as one process sees them: a client each, a circuit breaker each, and fan-out.

redis-py would retry silently with back-off, and a dropped packet is a hang rather than
an error; so retries are off, every socket has a time-out, and a replica that failed is
left alone (circuit breaker) until a probe in the background has found it well again. Nor is
it waited for that long where others have answered: then it gets a short grace, and what was
sent to it may arrive or not. So a partition costs a process a moment, not one per split, and no
work waits for probes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wc.backends.redis import functions
from wc.core.config import Config, ReplicaAddress

T = TypeVar("T")

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 4.0
#: How much longer to wait for the others after a first answer: this, and these times as long as
#: that one took.
GRACE_SECONDS, GRACE_TIMES = 0.5, 3.0
#: Between two looks at replicas that nobody is asking, and how long these may take.
WATCH_SECONDS, WATCH_ANSWER_SECONDS = 1.0, 2.0
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
        self._client = redis.Redis(**options, socket_timeout=ANSWER_SECONDS)
        self._watched = redis.Redis(**options, socket_timeout=WATCH_ANSWER_SECONDS)

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

    def suspect(self) -> None:
        """It is slow to answer: leave it alone until it was probed."""
        self._breaker.failed()

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except (redis.RedisError, OSError):
            return False

    def look(self) -> None:
        """Ask whether it is there, unless that is known, so that no work finds out first."""
        if not self._breaker.closed:
            return
        try:
            self._watched.ping()
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            self._breaker.failed()
        except redis.RedisError:
            return  # it answers

    def _with_library(self, work: Callable[[redis.Redis], T]) -> T:
        try:
            return work(self._client)
        except redis.ResponseError as error:
            if not functions.is_missing(error):
                raise
            # Redis was killed before its first save. Drivers put the library back.
            if not self._may_load:
                raise Unavailable(self.name, "function library is missing") from error
            functions.load(self._client)
            return work(self._client)

    def close(self) -> None:
        self._breaker.end()
        self._client.close()
        self._watched.close()


class ReplicaSet:
    """All replicas, called in parallel; the first of them is the caller's own host's."""

    def __init__(self, config: Config, user: str) -> None:
        password = config.password(user)
        ordered = sorted(config.replicas, key=lambda r: r.name != config.host)
        self.all = [Replica(address, user, password) for address in ordered]
        self.by_name = {replica.name: replica for replica in self.all}
        # Calls that are not waited for any more hold a thread until their time-out.
        self._pool = ThreadPoolExecutor(max(1, 4 * len(self.all)), thread_name_prefix="replica")
        self._ended = threading.Event()

    def watch(self) -> None:
        """Look at all replicas again and again, in the background: for processes that stay."""
        threading.Thread(target=self._watch, name="watch-replicas", daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            for replica in self.all:
                replica.look()

    def available(self) -> list[Replica]:
        return [replica for replica in self.all if replica.available()]

    def call_all(
        self, work: Callable[[redis.Redis, str], T], among: Iterable[Replica] | None = None
    ) -> dict[str, T]:
        """Run ``work(client, name)`` on each replica whose breaker is closed; answers by name.

        A replica that did not answer, or not soon after the first, is absent; what it was asked to
        do it may have done, or do later. Other errors are raised.
        """
        chosen = self.available() if among is None else list(among)
        if len(chosen) == 1:
            answer = _attempt(chosen[0], work)
            return {} if answer is None else {chosen[0].name: answer[0]}
        asked = {self._pool.submit(_attempt, replica, work): replica for replica in chosen}
        for late in _in_time(asked):
            asked.pop(late).suspect()
        answers = {replica.name: future.result() for future, replica in asked.items()}
        return {name: answer[0] for name, answer in answers.items() if answer is not None}

    def close(self) -> None:
        self._ended.set()
        self._pool.shutdown(wait=False)
        for replica in self.all:
            replica.close()


def own_replica(config: Config) -> Replica:
    """A host's replica; where it has none (mode `single`), the one there is."""
    own = (r for r in config.replicas if r.name == config.host)
    return Replica(next(own, config.replicas[0]), "driver", config.password("driver"))


def _in_time(asked: Iterable[Future[tuple[T] | None]]) -> set[Future[tuple[T] | None]]:
    """Wait for the calls; which of them are not waited for any more."""
    started = time.monotonic()
    waiting = set(asked)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        if any(future.exception() or future.result() is not None for future in done):
            took = time.monotonic() - started
            return wait(waiting, GRACE_SECONDS + GRACE_TIMES * took)[1]
    return waiting


def _attempt(replica: Replica, work: Callable[[redis.Redis, str], T]) -> tuple[T] | None:
    try:
        return (replica.call(lambda client: work(client, replica.name)),)
    except Unavailable:
        return None
