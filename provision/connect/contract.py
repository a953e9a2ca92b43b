"""The contract of a connector, by which a host is reached: run, stream, put, get.

All other code is the same for a network namespace on this machine and for a host behind SSH. A
kind of connection implements two things: to execute a script with bytes in and out, and to follow
its output. The rest, error messages included, is here.
"""

from __future__ import annotations

import hashlib
import posixpath
import secrets
import shlex
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

from provision.exit_codes import CommandError
from provision.inventory.model import Host

# A login's environment differs from host to host; that of supervised programs must not.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
OUTPUT_CHARACTERS = 800  # the end of a failed command's output, repeated in the error
COMMAND_CHARACTERS = 200  # the beginning of a command, repeated in the error


class ConnectorError(CommandError):
    """A host could not be reached, or a command on it failed."""

    kind = "host"


class ConnectionFailed(ConnectorError):
    """The host could not be reached, or the connection was lost."""


class CommandFailed(ConnectorError):
    """A command ended with an exit code other than 0."""

    def __init__(self, host: str, result: Result) -> None:
        self.host, self.result = host, result
        output = (result.stderr.strip() or result.stdout.strip())[-OUTPUT_CHARACTERS:]
        super().__init__(
            f"{host}: exit {result.exit_code} from `{shorten(result.command)}`:"
            f" {output or '(no message)'}"
        )


class CommandTimedOut(ConnectorError):
    """A command did not end in time. It was killed, but may have had its effect."""

    def __init__(self, host: str, command: str, seconds: float) -> None:
        super().__init__(f"{host}: no end after {seconds:g} s of `{shorten(command)}`: killed")


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

    def decode(self, command: str) -> Result:
        stdout, stderr = (out.decode("utf-8", "replace") for out in (self.stdout, self.stderr))
        return Result(command, self.exit_code, stdout, stderr)


class Connector(ABC):
    """Reaches one host as root. For one thread at a time, but any thread may call `close`."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @abstractmethod
    def _execute(
        self, script: str, stdin: bytes | None, timeout: float | None, outside: bool
    ) -> RawResult | None:
        """Run a shell script to its end; None when it was killed after `timeout` seconds."""

    @abstractmethod
    def _follow(self, script: str) -> Iterator[str | int]:
        """Yield lines of output as they come, without newlines, and at the end the exit code."""

    @abstractmethod
    def close(self) -> None:
        """End the connection and the commands that run through it. May be called twice."""

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
        result = self._raw(command, user, stdin, timeout, outside).decode(command)
        if check and result.exit_code != 0:
            raise CommandFailed(self.host.name, result)
        return result

    def stream(self, command: str, *, user: str | None = None) -> Generator[str, None, None]:
        """Yield lines of standard output and standard error as they come.

        Closing the generator (or Ctrl-C) kills the command and its children.
        Raises ConnectionFailed, and CommandFailed at the end when the exit code is not 0.
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
        user: str | None = None,
        owner: str = "root",
        group: str = "root",
        mode: int = 0o644,
        timeout: float | None = 120,
    ) -> None:
        """Write a file at once: readers see the old content or all of the new, never a wider mode.

        Below a folder that another user may write to, name that `user`, who then writes the file
        and owns it: root would follow a link that was put in the path meanwhile. Raises
        CommandFailed, and leaves what was there, when not all of the content has arrived.
        """
        target = shlex.quote(path)
        temporary = shlex.quote(f"{path}.{secrets.token_hex(4)}.new")
        digest = hashlib.sha256(content).hexdigest()
        own = f"chown {shlex.quote(owner)}:{shlex.quote(group)} {temporary} &&" if not user else ""
        command = f"""
umask 077 && trap 'rm -f {temporary}' EXIT && cat >{temporary} || exit 1
if [ "$(sha256sum <{temporary})" != '{digest}  -' ]; then
    echo "of {len(content)} bytes $(wc -c <{temporary}) arrived, or others: run it again" >&2
    exit 1
fi
{own} chmod {mode:o} {temporary} && sync {temporary} && mv -fT {temporary} {target} \\
    && sync {shlex.quote(posixpath.dirname(path))}
"""
        self.run(command, user=user, stdin=content, timeout=timeout)

    def get(self, path: str, *, user: str | None = None, timeout: float | None = 120) -> bytes:
        """Read a file, as `user` where another than root may write to its folder.

        Raises CommandFailed when there is none.
        """
        command = f"cat -- {shlex.quote(path)}"
        raw = self._raw(command, user, None, timeout, False)
        if raw.exit_code != 0:
            # The error must not repeat the content, which may be a secret.
            raise CommandFailed(self.host.name, replace(raw, stdout=b"").decode(command))
        return raw.stdout

    def _raw(
        self,
        command: str,
        user: str | None,
        stdin: str | bytes | None,
        timeout: float | None,
        outside: bool,
    ) -> RawResult:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        raw = self._execute(script(command, user), content, timeout, outside)
        if raw is None:
            raise CommandTimedOut(self.host.name, command, timeout or 0)
        return raw

    def __enter__(self) -> Connector:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def script(command: str, user: str | None) -> str:
    """A shell script that runs `command` in ENVIRONMENT, as `user` unless that is None."""
    exports = " ".join(f"{key}={value}" for key, value in ENVIRONMENT.items())
    if user is not None:
        command = f"exec runuser -u {shlex.quote(user)} -- sh -c {shlex.quote(command)}"
    return f"cd /; export {exports}\n{command}"


def shorten(command: str) -> str:
    """A command in one line, short enough for a message."""
    line = " ".join(command.split())
    return line if len(line) <= COMMAND_CHARACTERS else f"{line[:COMMAND_CHARACTERS]}..."
