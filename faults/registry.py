"""Kinds of faults. Each is a function from a target to what it does, as commands for the target.

A kind says what it needs, how long it lasts unless told otherwise, and what a person types to end
it sooner. One that lasts 0 seconds is an instant: it is over when it has happened, so it has no
deadline, no record and nothing to heal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEFAULT_SECONDS = 60.0


@dataclass(frozen=True)
class Harm:
    """Shell commands for the target; `text` is how status and the command itself word it.

    What `before` prints is kept until the end and given to `apply` and `heal` as FAULT_BEFORE.
    `heal` must be idempotent. With `inherit`, a fault that replaces one of its kind on the same
    target keeps what that one had found before, and so restores the state before both.
    """

    text: str
    apply: str
    before: str = ":"
    heal: str = ":"
    inherit: bool = False


@dataclass(frozen=True)
class Fault:
    name: str
    needs: str
    seconds: float
    ends: str
    start: Callable[..., Harm]


REGISTRY: dict[str, Fault] = {}


def fault(
    name: str, *, needs: str, ends: str = "", seconds: float = DEFAULT_SECONDS
) -> Callable[[Callable[..., Harm]], Callable[..., Harm]]:
    """Declare the decorated function to be how the fault `name` starts."""

    def declare(start: Callable[..., Harm]) -> Callable[..., Harm]:
        REGISTRY[name] = Fault(name, needs, seconds, ends, start)
        return start

    return declare


def harm(name: str, *target: Any, **options: Any) -> Harm:
    """What a fault would do to a target."""
    return REGISTRY[name].start(*target, **options)
