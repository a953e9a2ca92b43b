"""What the options that several fault commands share may be."""

from __future__ import annotations

import random

from provision.inventory.units import Typed, count, duration

SEEDS = 1 << 32
#: `--for`: how long a fault lasts, seconds.
FOR = duration(0.1, 86_400)


def seed(typed: Typed) -> int:
    """`--seed`, or any. Raises UsageError."""
    if typed is None:
        return random.SystemRandom().randrange(SEEDS)
    return count(0, SEEDS - 1).option("--seed", typed)


def deadline(typed: Typed, default: float) -> float:
    """How long a fault lasts, seconds. Raises UsageError."""
    return default if typed is None else FOR.option("--for", typed)
