"""All replicas as one process sees them: asked in parallel, and watched.

A replica is not waited for long where others have answered: then it gets a short grace, and what
was sent to it may arrive or not. So a partition costs a process a moment, not one per split.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.core.config import Config

T = TypeVar("T")

#: How much longer to wait for the others after a first answer: these seconds, and so many times
#: as long as that one took.
GRACE_SECONDS, GRACE_TIMES = 0.5, 3.0
#: Seconds between two looks at replicas that nobody is asking.
WATCH_SECONDS = 1.0


class ReplicaSet:
    """The replicas; the first of ``all`` is the caller's own host's."""

    def __init__(self, config: Config, user: str) -> None:
        password = config.password(user)
        ordered = sorted(config.replicas, key=lambda r: r.name != config.host)
        self.all = [Replica(address, user, password) for address in ordered]
        self.by_name = {replica.name: replica for replica in self.all}
        # Calls that are not waited for any more hold a thread until their time-out.
        self._pool = ThreadPoolExecutor(max(1, 4 * len(self.all)), thread_name_prefix="replica")
        self._ended = threading.Event()

    def watch(self) -> None:
        """Check all replicas again and again, in the background: for processes that stay."""
        threading.Thread(target=self._watch, name="watch-replicas", daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            for replica in self.all:
                replica.check()

    def available(self) -> list[Replica]:
        """The replicas whose breaker is closed."""
        return [replica for replica in self.all if replica.available()]

    def troubles(self) -> dict[str, str]:
        """Replicas that cannot be used, or refused a call just now, and why."""
        found = {replica.name: replica.trouble() for replica in self.all}
        return {name: why for name, why in found.items() if why}

    def ask_all(
        self, work: Callable[[Replica], T], among: Iterable[Replica] | None = None
    ) -> dict[str, T]:
        """Run ``work`` with each available replica, or each of those ``among``; answers by name.

        A replica that did not answer, not soon after the first, or with an error, is absent; what
        it was asked to do it may have done, or do later. ``troubles`` has the reasons.
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


def _attempt(replica: Replica, work: Callable[[Replica], T]) -> tuple[T] | None:
    try:
        return (work(replica),)
    except Unavailable:
        return None
