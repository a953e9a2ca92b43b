"""Real replicas whose round trips can be counted, so that something may happen between two.

A race is then an ordinary, repeatable step: at the n-th round trip of one thing, another thing
happens in full, or the process that did the first one dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.wc.support.cluster import Cluster
from wc.backends.api import Unavailable
from wc.backends.redis.client import Guard, GuardedPipeline, GuardedRedis
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import config


class Died(Unavailable):
    """What a process that has died sees of every replica: nothing."""

    def __init__(self) -> None:
        super().__init__("every replica", "this process has died")


class Steps:
    """``event`` happens once, when ``at`` round trips with a ``command`` have been let through."""

    def __init__(self) -> None:
        self._left = 0
        self._command: str | None = None
        self._event: Callable[[], None] | None = None
        self.happened = False

    @contextmanager
    def interrupted(
        self, at: int, event: Callable[[], None], command: str | None = None
    ) -> Iterator[Steps]:
        """``command`` names a Redis function; None means any round trip."""
        self._left, self._event, self._command, self.happened = at, event, command, False
        try:
            yield self
        finally:
            self._event = None

    def before(self, *commands: Sequence[Any]) -> None:
        """Called before every round trip."""
        if self._event is None:
            return
        if self._command is not None and not any(self._command in c[:2] for c in commands):
            return
        if self._left == 0:
            event, self._event = self._event, None
            self.happened = True
            event()
        else:
            self._left -= 1

    def die(self) -> None:
        """As an event: this round trip and all further ones fail."""
        self._left, self._event, self._command = 0, self.die, None
        raise Died


class SteppedPipeline(GuardedPipeline):
    steps: Steps

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        self.steps.before(*(args for args, _ in self.command_stack))
        return super().execute(raise_on_error)


class SteppedRedis(GuardedRedis):
    """A client that says so before each round trip."""

    pipelines = SteppedPipeline
    steps: Steps

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.steps.before(args)
        return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        made = super().pipeline(transaction, shard_hint)
        made.steps = self.steps  # type: ignore[attr-defined]
        return made


def client(
    cluster: Cluster,
    name: str,
    steps: Steps,
    user: str = "admin",
    guard: Guard = lambda round_trip: round_trip(),
) -> SteppedRedis:
    made = SteppedRedis(
        guard,
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
            replica.client.close()
            guard = replica._guard
            replica.client = client(cluster, replica.name, self.steps, "driver", guard)

    def ask_all(self, work: Any, among: Iterable[Any] | None = None) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for replica in self.available() if among is None else list(among):
            answers |= super().ask_all(work, [replica])
        return answers
