"""One small contract for reaching a host: run, stream, put, get.

Everything above a connector is the same code for a network namespace on this machine and for a
host behind SSH. A kind of connection supplies two things: executing a script with bytes in and
out, and following one; the rest, error messages included, is here and cannot differ.
"""

from __future__ import annotations

import secrets
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from provision.exit_codes import CommandError
from provision.inventory.model import Host

# Hosts differ in what a non-interactive login finds; supervised programs must not.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
STDERR_TAIL = 800  # characters of a failed command's messages that an error repeats
COMMAND_SHOWN = 200  # characters of a command that an error repeats


class ConnectorError(CommandError):
    """Something went wrong on the way to, or on, one host."""

    kind = "host"


class ConnectionFailed(ConnectorError):
    """The host was not reached; nothing ran there."""


class CommandFailed(ConnectorError):
    """A command ended with another exit code than 0."""

    def __init__(self, host: str, result: Result) -> None:
        self.host, self.result = host, result
        said = (result.stderr.strip() or result.stdout.strip())[-STDERR_TAIL:] or "(no message)"
        super().__init__(f"{host}: exit {result.exit_code} from `{shown(result.command)}`: {said}")


class CommandTimedOut(ConnectorError):
    """A command did not end in time. It was killed, yet may have had its effect."""

    def __init__(self, host: str, command: str, seconds: float) -> None:
        super().__init__(f"{host}: no end after {seconds:g} s of `{shown(command)}`: killed")


@dataclass(frozen=True)
class Result:
    command: str
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class RawResult:
    exit_code: int
    stdout: bytes
    stderr: bytes


class Connector(ABC):
    """A way to one host, as root. One thread at a time; `close` may come from another thread."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def _execute(
        self, script: str, stdin: bytes | None, timeout: float | None, outside: bool
    ) -> RawResult | None:
        """Run a shell script to its end; None when `timeout` seconds passed and it was killed."""

    @abstractmethod
    def _follow(self, script: str) -> Iterator[str | int]:
        """Lines as they come, without their newline; last of all the exit code."""

    @abstractmethod
    def close(self) -> None:
        """End the connection and whatever still runs through it. May be called twice."""

    def run(
        self,
        command: str,
        *,
        user: str | None = None,
        stdin: str | bytes | None = None,
        check: bool = True,
        timeout: float | None = 60,
        outside: bool = False,
    ) -> Result:
        """Run a shell command as root, or as `user`; `timeout` in seconds, None for no limit.

        `outside` asks for the network beyond the cluster (package downloads).
        Raises ConnectionFailed, CommandTimedOut, and with `check` CommandFailed.
        """
        raw = self._raw(command, user=user, stdin=stdin, timeout=timeout, outside=outside)
        result = Result(
            command,
            raw.exit_code,
            raw.stdout.decode("utf-8", "replace"),
            raw.stderr.decode("utf-8", "replace"),
        )
        if check and result.exit_code != 0:
            raise CommandFailed(self.host.name, result)
        return result

    def stream(self, command: str, *, user: str | None = None) -> Iterator[str]:
        """Standard output and error, line by line, as they come.

        Closing the generator (or Ctrl-C) kills the command and its children.
        Raises CommandFailed at the end when the exit code is not 0.
        """
        last = ""
        for item in self._follow(script(command, user)):
            if isinstance(item, int):
                if item != 0:
                    raise CommandFailed(self.host.name, Result(command, item, "", last))
                return
            last = item
            yield item

    def put(
        self,
        content: bytes,
        path: str,
        *,
        owner: str = "root",
        group: str = "root",
        mode: int = 0o644,
        timeout: float | None = 120,
    ) -> None:
        """Write a file whole: readers see the old content or the new, never a wider mode."""
        target = shlex.quote(path)
        aside = shlex.quote(f"{path}.{secrets.token_hex(4)}.new")
        command = (
            f"umask 077 && trap 'rm -f {aside}' EXIT && cat >{aside}"
            f" && chown {shlex.quote(owner)}:{shlex.quote(group)} {aside}"
            f" && chmod {mode:o} {aside} && mv -fT {aside} {target}"
        )
        self.run(command, stdin=content, timeout=timeout)

    def get(self, path: str, *, timeout: float | None = 120) -> bytes:
        """The content of a file. CommandFailed when there is none."""
        command = f"cat -- {shlex.quote(path)}"
        raw = self._raw(command, timeout=timeout)
        if raw.exit_code != 0:
            said = raw.stderr.decode("utf-8", "replace")
            raise CommandFailed(self.host.name, Result(command, raw.exit_code, "", said))
        return raw.stdout

    def _raw(
        self,
        command: str,
        *,
        user: str | None = None,
        stdin: str | bytes | None = None,
        timeout: float | None,
        outside: bool = False,
    ) -> RawResult:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        raw = self._execute(script(command, user), content, timeout, outside)
        if raw is None:
            raise CommandTimedOut(self.host.name, command, timeout or 0)
        return raw

    def __enter__(self) -> Connector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def script(command: str, user: str | None) -> str:
    """A shell script that runs `command` in the environment every host has in common."""
    exports = " ".join(f"{key}={value}" for key, value in ENVIRONMENT.items())
    if user is not None:
        command = f"exec runuser -u {shlex.quote(user)} -- sh -c {shlex.quote(command)}"
    return f"cd /; export {exports}\n{command}"


def shown(command: str) -> str:
    """A command, short enough for a message."""
    line = " ".join(command.split())
    return line if len(line) <= COMMAND_SHOWN else f"{line[:COMMAND_SHOWN]}..."
