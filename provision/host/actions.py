"""Actions, which operations yield: run a command, write a file, or do nothing and say why.

Actions are data, so that `--check` can print them, tests can compare them, and one runner can
count them. `why` is the text that people read. `notify` names the programs that must restart.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoOp:
    why: str


@dataclass(frozen=True)
class Command:
    """A shell command. `stdin` is never shown; `timeout` is in seconds; `outside` asks for the
    network beyond the cluster."""

    why: str
    command: str
    stdin: str | None = None
    outside: bool = False
    timeout: float = 300  # an emulated machine needs minutes where others need seconds
    notify: tuple[str, ...] = ()


@dataclass(frozen=True)
class Put:
    """A file to write. The content of a `secret` one is never shown, not even by `--diff`."""

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
    """The host cannot be provisioned as it is; the message says what to do."""
