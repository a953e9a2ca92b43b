"""A Redis client whose every round trip goes through a guard.

The guard decides whether to ask at all, and what an error means; see replica.py. So whoever has
such a client needs to know neither. Commands and pipelines are guarded each by itself; work of
several round trips that must not be refused halfway runs in one guard, by ``guarded``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.client import Pipeline

T = TypeVar("T")
Guard = Callable[[Callable[[], Any]], Any]


class GuardedPipeline(Pipeline):
    """Guarded when it is executed, as one round trip."""

    guard: Guard

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = self.command_stack

        def attempt() -> list[Any]:
            self.command_stack = list(commands)  # an attempt empties it
            return Pipeline.execute(self, raise_on_error)

        return self.guard(attempt)  # type: ignore[no-any-return]


class GuardedRedis(redis.Redis):
    """``guard`` runs one round trip, again if it needs to, and translates its errors."""

    pipelines = GuardedPipeline

    def __init__(self, guard: Guard, **options: Any) -> None:
        self.guard = guard
        super().__init__(**options)
        self.unguarded = redis.Redis(connection_pool=self.connection_pool)

    def guarded(self, work: Callable[[redis.Redis], T]) -> T:
        """Run ``work`` with a client that is not guarded, all of it in one guard."""
        return self.guard(lambda: work(self.unguarded))  # type: ignore[no-any-return]

    def execute_command(self, *args: Any, **options: Any) -> Any:
        attempt: Any = super().execute_command
        return self.guard(lambda: attempt(*args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> GuardedPipeline:
        made = self.pipelines(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        made.guard = self.guard
        return made
