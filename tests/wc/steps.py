"""Real replicas whose round trips can be counted, so that something may happen between two.

A race is then an ordinary, repeatable step: at the n-th round trip of one thing, another thing
happens in full, or the process that did the first one dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import redis
from redis.client import Pipeline

from tests.wc.cluster import Cluster
from wc import config
from wc.replicas import ReplicaSet, Unavailable


class Died(Unavailable):
    """What a process that has died sees of every replica: nothing."""

    def __init__(self) -> None:
        super().__init__("every replica", "this process has died")


class Steps:
    """Counts round trips. ``at`` is how many are let through before ``event`` happens, once."""

    def __init__(self) -> None:
        self._left = -1
        self._event: Callable[[], None] | None = None
        self.happened = False
        self.seen = 0

    @contextmanager
    def interrupted(self, at: int, event: Callable[[], None]) -> Any:
        self._left, self._event, self.happened = at, event, False
        try:
            yield self
        finally:
            self._left, self._event = -1, None

    def before(self) -> None:
        """Called before every round trip."""
        self.seen += 1
        if self._event is None:
            return
        if self._left == 0:
            event, self._event = self._event, None
            self.happened = True
            event()
        else:
            self._left -= 1

    def die(self) -> None:
        """As an event: this round trip and all further ones fail."""
        self._left, self._event = 0, self.die
        raise Died


class SteppedPipeline(Pipeline):
    steps: Steps

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        self.steps.before()
        return super().execute(raise_on_error)


class SteppedRedis(redis.Redis):
    """A client that says so before each round trip."""

    steps: Steps

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.steps.before()
        return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> SteppedPipeline:
        made = SteppedPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        made.steps = self.steps
        return made


def client(cluster: Cluster, name: str, steps: Steps, user: str = "admin") -> SteppedRedis:
    made = SteppedRedis(
        port=cluster.node(name).port,
        username=user,
        password=cluster.passwords[user],
        protocol=2,
    )
    made.steps = steps
    return made


class SteppedReplicas(ReplicaSet):
    """A driver's replicas, asked one after the other: the order of round trips is fixed."""

    def __init__(self, cluster: Cluster, host: str) -> None:
        super().__init__(config.load(cluster.node(host).config_path), "driver")
        self.steps = Steps()
        for replica in self.all:
            replica._client.close()
            replica._client = client(cluster, replica.name, self.steps, "driver")

    def call_all(self, work: Any, among: Iterable[Any] | None = None) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for replica in self.available() if among is None else list(among):
            answers |= super().call_all(work, [replica])
        return answers
