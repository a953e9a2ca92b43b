"""Options of the fault commands, as typed in, checked and turned into values."""

from __future__ import annotations

import math

from provision.exit_codes import UsageError

LONGEST_SECONDS = 86_400


def number(option: str, typed: str, least: float, most: float) -> float:
    """A number in a range, both ends allowed. Raises UsageError with the range."""
    try:
        value = float(typed)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise UsageError(f"{option} {typed!r}: allowed is a number from {least:g} to {most:g}")
    return value


def whole_number(option: str, typed: str, most: int) -> int:
    """A whole number from 0 on. Raises UsageError with the range."""
    if not typed.isdecimal() or int(typed) > most:
        raise UsageError(f"{option} {typed!r}: allowed is a whole number from 0 to {most}")
    return int(typed)


def deadline(typed: str | None, default: float) -> float:
    """`--for`: how long a fault lasts, seconds."""
    return default if typed is None else number("--for", typed, 0.1, LONGEST_SECONDS)
