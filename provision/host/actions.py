"""What an operation asks for: run this, write that, or nothing because it is so already.

Actions are data, so that `--check` can print them, tests can compare them, and one runner can
count them. `why` is the sentence people read. `notify` names what has to restart on account of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoOp:
    why: str


@dataclass(frozen=True)
class Command:
    """A shell command, with an optional standard input (never shown); `timeout` in seconds."""

    why: str
    command: str
    stdin: str | None = None
    outside: bool = False
    timeout: float = 300  # an emulated machine takes minutes for what others do in seconds
    notify: tuple[str, ...] = ()


@dataclass(frozen=True)
class Put:
    """A file; the content of a `secret` one is never shown, not even as a difference."""

    why: str
    path: str
    content: bytes
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    secret: bool = False
    notify: tuple[str, ...] = ()


Action = NoOp | Command | Put


class Refused(Exception):
    """The host cannot be brought to the wanted state; the message says what to do."""
