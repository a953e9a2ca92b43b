"""Quantities as people write them, in options and in the inventory: one meaning each. Pure.

A size is bytes, or MB (10^6 bytes), MiB (2^20) and the like. A duration is seconds, or has a unit:
50ms, 90s, 20m, 1h, 7d. Percentages and shares may end in %.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from provision.exit_codes import UsageError

#: An option as typed in; None if it was left out.
Typed = str | None

T_co = TypeVar("T_co", covariant=True)
W = TypeVar("W")

WHOLE = re.compile(r"([0-9]+)\s*([a-z]*)", re.IGNORECASE)
NUMBER = re.compile(r"((?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:e[+-]?[0-9]+)?)\s*([a-z%]*)", re.IGNORECASE)
SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
DURATIONS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: The largest size, bytes, and the longest duration, seconds.
LARGEST, LONGEST = 1 << 40, 365 * 86400.0


@dataclass(frozen=True)
class Quantity(Generic[T_co]):
    """`parse` returns the value of a text or raises ValueError; `allowed` says what it takes."""

    parse: Callable[[str], T_co]
    allowed: str

    def option(self, name: str, typed: str) -> T_co:
        """The value of an option. Raises UsageError."""
        try:
            return self.parse(typed)
        except ValueError:
            raise UsageError(f"{name} {typed!r}: allowed is {self.allowed}") from None

    def or_word(self, word: str, value: W) -> Quantity[T_co | W]:
        """The same, with a word that stands for a value of its own."""
        return Quantity(
            lambda text: value if text == word else self.parse(text), f"{word}, or {self.allowed}"
        )


def one_of(*words: str) -> Quantity[str]:
    """One of these words."""
    return Quantity(lambda text: words[words.index(text)], f"one of {', '.join(words)}")


def count(least: int = 0, most: int | None = None) -> Quantity[int]:
    """A whole number; both ends of the range are allowed."""
    limits = f", {least} or more" if most is None else f" from {least} to {most}"
    return Quantity(
        lambda text: int(_number(text, WHOLE, {"": 1}, least, most)), f"a whole number{limits}"
    )


def size(least: int = 1, most: int = LARGEST) -> Quantity[int]:
    """Bytes."""
    return Quantity(
        lambda text: int(_number(text, WHOLE, SIZES, least, most)),
        "a number of bytes, or a size such as 16MB (10^6 bytes) or 16MiB (2^20)",
    )


def duration(least: float, most: float = LONGEST) -> Quantity[float]:
    """Seconds."""
    limits = f"from {shown_duration(least)} to {shown_duration(most)}"
    return Quantity(
        lambda text: _number(text, NUMBER, DURATIONS, least, most),
        f"a duration {limits}: in seconds, or with the unit ms, s, m, h or d",
    )


def percent(least: float, most: float) -> Quantity[float]:
    """Percent: 50 or 50%."""
    return Quantity(
        lambda text: _number(text, NUMBER, {"": 1, "%": 1}, least, most),
        f"a percentage from {least:g} to {most:g}",
    )


def share() -> Quantity[float]:
    """A part of one: 0.25 or 25%."""
    return Quantity(
        lambda text: _number(text, NUMBER, {"": 1, "%": 0.01}, 0, 1),
        "a number from 0 to 1, or a percentage",
    )


def shown_duration(seconds: float) -> str:
    """In the largest unit that needs no fraction: `shown_duration(0.05)` is 50ms."""
    for unit, length in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds and seconds % length == 0:
            return f"{seconds // length:.0f}{unit}"
    return f"{seconds * 1000:g}ms" if seconds < 1 else f"{seconds:g}s"


def _number(
    text: str, shape: re.Pattern[str], units: Mapping[str, float], least: float, most: float | None
) -> float:
    match = shape.fullmatch(text)
    if not match or match[2].lower() not in units:
        raise ValueError(text)
    number = int(match[1]) if shape is WHOLE else float(match[1])
    value = number * units[match[2].lower()]
    if value < least or (most is not None and value > most):
        raise ValueError(text)
    return value
