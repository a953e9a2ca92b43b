"""The registry of faults. Each is a function from a target to the shell commands that do the harm.

A fault declares what it needs, how long it lasts by default, and the command that ends it sooner.
One that lasts 0 seconds is over when it has happened: it has no deadline, no record, no healing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEFAULT_SECONDS = 60.0


@dataclass(frozen=True)
class Harm:
    """Shell commands for the target; `text` describes the fault in status.

    The output of `before` is stored and given to `apply` and `heal` as FAULT_BEFORE. `heal` must be
    idempotent. With `inherit`, a fault that replaces one of its kind on the same target takes over
    that one's FAULT_BEFORE, so that its end restores the state before both.
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
    """Declare the decorated function to be the fault `name`."""

    def declare(start: Callable[..., Harm]) -> Callable[..., Harm]:
        REGISTRY[name] = Fault(name, needs, seconds, ends, start)
        return start

    return declare


def harm(name: str, *target: Any, **options: Any) -> Harm:
    """The commands of a fault for a target."""
    return REGISTRY[name].start(*target, **options)
