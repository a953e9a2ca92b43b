"""Options of the job commands, as typed in, checked and turned into values."""

from __future__ import annotations

import re

from provision.exit_codes import UsageError
from provision.inventory.model import Inventory

TOKENIZERS = ("whitespace", "letters", "tweets-csv")
ERRORS = ("strict", "replace")
UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20}


def choice(option: str, typed: str | None, default: str, allowed: tuple[str, ...]) -> str:
    """One of ``allowed``; raises UsageError otherwise."""
    value = typed or default
    if value not in allowed:
        raise UsageError(f"{option} {value!r}: allowed are {', '.join(allowed)}")
    return value


def count(option: str, typed: str | None, default: int) -> int:
    """A whole number, 0 or more."""
    if typed is None:
        return default
    if not typed.isdecimal():
        raise UsageError(f"{option} {typed!r}: allowed is a whole number, 0 or more")
    return int(typed)


def seconds(option: str, typed: str) -> float:
    """A number of seconds above 0."""
    try:
        value = float(typed)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"{option} {typed!r}: allowed is a number of seconds above 0")
    return value


def split_size(typed: str | None, inventory: Inventory) -> int | str:
    """ "auto", or bytes: 500000, 16MB, 8MiB."""
    if typed is None:
        return inventory.job.split_size
    if typed == "auto":
        return typed
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", typed.lower())
    if not match or match[2] not in UNITS or int(match[1]) == 0:
        raise UsageError(f"--split-size {typed!r}: allowed are auto, or bytes such as 8MB or 65536")
    return int(match[1]) * UNITS[match[2]]


def published(typed: str | None) -> int:
    """How many of the most frequent words are published; 0 for all."""
    if typed in (None, "all"):
        return 0
    if not typed.isdecimal() or int(typed) == 0:
        raise UsageError(f"--publish {typed!r}: allowed are all, or a number of words from 1 on")
    return int(typed)


def quorum(typed: str | None, replicas: int) -> int:
    """How many replicas must acknowledge a commit; 0 for what the inventory says."""
    if typed is None:
        return 0
    if not typed.isdecimal() or not 1 <= int(typed) <= replicas:
        raise UsageError(f"--write-quorum {typed!r}: allowed is a number from 1 to {replicas}")
    return int(typed)
