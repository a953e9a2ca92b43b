"""What the options that several fault commands share may be."""

from __future__ import annotations

from provision.inventory.units import count, duration

SEEDS = 1 << 32
SEED = count(0, SEEDS - 1)
#: `--for`: how long a fault lasts, seconds.
FOR = duration(0.1, 86_400)


def deadline(typed: str | None, default: float) -> float:
    """How long a fault lasts, seconds. Raises UsageError."""
    return default if typed is None else FOR.option("--for", typed)
