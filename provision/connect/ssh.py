"""Reach a host by SSH, through a Fabric connection.

Its host key is checked (host_keys.py), and the agent is not forwarded. Commands run as root: after
a login as another user, by `sudo -n`.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
from fabric import Config, Connection  # type: ignore[import-untyped]

from provision.connect import login_keys
from provision.connect.contract import OUTPUT_CHARACTERS, ConnectionFailed, Connector, RawResult
from provision.connect.host_keys import HostKeys, Refused
from provision.connect.ssh_config import Target, target
from provision.inventory.model import Host

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 15
CHUNK = 1 << 16

# What is run on the host, through whatever the login shell is: so it is one line, without a single
# quote or an exclamation mark (tcsh). It is the first process of a session of its own. Its standard
# input has the lengths of a script and of that script's input, then both, with a newline after
# each. A mark on both outputs says that from there on they are the script's: a login shell or sudo
# may have printed before. sshd does not kill the commands of a client that has vanished, so the
# session is killed when standard input ends before the script does, and a script whose own input
# was cut short never sees the end of it. While a script leaves its input unread the end cannot be
# noticed: that takes no longer than the command's time limit.
GUARD = (
    "exec 3<&0 </dev/null; read -r mark length input limit <&3 || exit 137;"
    " script=$(head -c $length <&3); read -r end <&3 || exit 137; echo $mark; echo $mark >&2;"
    " exec 4< <(exec <&3 2>/dev/null; timeout $limit head -c $input;"
    " [ $? -ne 124 ] && read -r end || kill -KILL 0; exec >&-;"
    " cat >/dev/null; kill -0 $$ && kill -KILL 0);"
    ' sh -c "$script" <&4 3<&- 4<&-'
)


class SshConnector(Connector):
    def __init__(self, host: Host, known_hosts: Path) -> None:
        super().__init__(host)
        self.known_hosts = known_hosts
        self._connection: Connection | None = None

    def _transport(self) -> paramiko.Transport:
        if self._connection is None:
            self._connection = self._open()
        transport: paramiko.Transport | None = self._connection.transport
        if transport is None or not transport.is_active():
            raise ConnectionFailed(f"{self._where()}: the connection was lost: run it again")
        return transport

    def _target(self) -> Target:
        try:
            return target(self.host)
        except ValueError as error:
            raise ConnectionFailed(f"{self.host.name}: {error}") from None

    def _where(self) -> str:
        target = self._target()
        return f"{self.host.name} ({target.user}@{target.address} port {target.port})"

    def _open(self) -> Connection:
        target = self._target()
        try:
            keys = HostKeys(target, self.known_hosts)
            options: dict[str, object] = {"transport_factory": keys.transport}
            if self.host.identity_file:
                options |= {"pkey": login_keys.load(self.host.identity_file), "allow_agent": False}
            else:
                options |= {"key_filename": list(target.keys), "allow_agent": target.agent}
        except (OSError, ValueError) as error:
            raise ConnectionFailed(f"{self._where()}: {error}") from None
        gateway = f"sh -c {shlex.quote(f'exec {target.proxy_command}')}"  # as OpenSSH runs it
        connection = Connection(
            target.address,
            user=target.user,
            port=target.port,
            gateway=gateway if target.proxy_command else None,
            forward_agent=False,
            connect_timeout=CONNECT_SECONDS,
            connect_kwargs={"look_for_keys": False, **options},
            # What the ssh_config files say is in `target` already.
            config=Config(overrides={"load_ssh_configs": False}),
        )
        try:
            connection.client.set_missing_host_key_policy(keys)
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise ConnectionFailed(f"{self._where()}: {self._explain(error)}") from error
            raise
        return connection

    def _explain(self, error: Exception) -> str:
        if isinstance(error, Refused):
            return str(error)
        if isinstance(error, paramiko.AuthenticationException):
            return self._login_refused(error)
        if isinstance(error, TimeoutError | socket.timeout):
            return (
                f"no answer in {CONNECT_SECONDS} s: check the address, the port, and firewalls"
                " between here and there"
            )
        return (
            f"{str(error) or type(error).__name__}: check that it is up, that sshd listens on that"
            " address and port, and the proxy or jump host if there is one"
        )

    def _login_refused(self, error: paramiko.AuthenticationException) -> str:
        target = self._target()
        tried = f"{self.host.identity_file} (only with that, as the inventory names it)"
        if not self.host.identity_file:
            tried = ", ".join([*target.keys, *["the agent's keys"] * target.agent]) or "no key"
        locked = ""
        if isinstance(error, paramiko.PasswordRequiredException):
            locked = "; one of these has a passphrase: load it into the agent (ssh-add)"
        return (
            f"login refused with {tried}{locked}: check `user` and `identity_file` in the"
            f" inventory and {target.user}'s authorized_keys on the host"
        )

    def _session(self) -> paramiko.Channel:
        command = f"setsid -w bash -c {shlex.quote(GUARD)}"
        if self._target().user != "root":
            command = f"sudo -n -- {command}"
        try:
            channel = self._transport().open_session(timeout=CONNECT_SECONDS)
            channel.exec_command(command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionFailed(f"{self._where()}: {self._explain(error)}") from error
        return channel

    def _execute(
        self,
        script: str,
        stdin: bytes | None,
        timeout: float | None,
        outside: bool,  # noqa: ARG002 - an SSH host has only one network
    ) -> RawResult | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        mark = secrets.token_hex(16)
        with self._session() as channel:
            # Both outputs are read in threads: a full pipe would block the command.
            output, errors = (
                _Drain(receive, channel, deadline)
                for receive in (channel.recv, channel.recv_stderr)
            )
            _send(channel, _frame(mark, script, stdin or b"", timeout), deadline)
            if not (output.ended() and errors.ended()):
                return None
            stdout, stderr = (_after(mark, drain.content) for drain in (output, errors))
            code = self._exit_code(channel)
            if stdout is None or stderr is None:
                raise self._not_run(errors.content or output.content, code)
            return RawResult(code, stdout, stderr)

    def _follow(self, script: str) -> Iterator[str | int]:
        mark = secrets.token_hex(16)
        with self._session() as channel:
            _send(channel, _frame(mark, f"exec 2>&1\n{script}", b"", None), None)
            before: list[str] | None = []
            with channel.makefile("rb") as lines:
                for line in lines:
                    text = line.decode("utf-8", "replace").rstrip("\n")
                    if before is None:
                        yield text
                    elif text.endswith(mark):
                        before = None
                    else:
                        before.append(text)
            code = self._exit_code(channel)
            if before is not None:
                with channel.makefile_stderr("rb") as errors:
                    raise self._not_run(errors.read() or "\n".join(before).encode(), code)
            yield code

    def _not_run(self, output: bytes, code: int) -> ConnectionFailed:
        """The error of a login that ran no command; `output` is what was printed instead."""
        text = output.decode("utf-8", "replace").strip()[-OUTPUT_CHARACTERS:]
        where, user = self._where(), self._target().user
        advice = f"check that {user}'s login shell runs commands there: ssh ... {user}@... true"
        if user != "root":
            advice = (
                f"let {user} use sudo without a password (NOPASSWD: ALL), or log in with"
                f' `user = "root"`; and {advice}'
            )
        return ConnectionFailed(
            f"{where}: the login ended with exit {code} before a command ran:"
            f" {text or '(no message)'}: {advice}"
        )

    def _exit_code(self, channel: paramiko.Channel) -> int:
        code = channel.recv_exit_status()
        if code == -1:
            raise ConnectionFailed(
                f"{self._where()}: the connection was lost while a command ran; it may or may not"
                " have had its effect: run it again"
            )
        return code

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Drain:
    """Reads one output of a channel to its end, in a thread."""

    def __init__(
        self, receive: Callable[[int], bytes], channel: paramiko.Channel, deadline: float | None
    ) -> None:
        self._receive, self._channel, self._deadline = receive, channel, deadline
        self._chunks: list[bytes] = []
        self._complete = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def content(self) -> bytes:
        return b"".join(self._chunks)

    def ended(self) -> bool:
        """Wait for the end; False when the deadline passes first."""
        self._thread.join()
        return self._complete

    def _read(self) -> None:
        while True:
            _limit(self._channel, self._deadline)
            try:
                chunk = self._receive(CHUNK)
            except TimeoutError:
                return
            if not chunk:
                self._complete = True
                return
            self._chunks.append(chunk)


def _frame(mark: str, script: str, content: bytes, timeout: float | None) -> bytes:
    """What GUARD reads from its standard input."""
    encoded = script.encode()
    header = f"{mark} {len(encoded)} {len(content)} {timeout or 0}\n"
    return header.encode() + encoded + b"\n" + content + b"\n"


def _send(channel: paramiko.Channel, content: bytes, deadline: float | None) -> None:
    _limit(channel, deadline)
    # An error: the command ended without reading it all, and its exit code says why.
    with contextlib.suppress(OSError):
        channel.sendall(content)


def _limit(channel: paramiko.Channel, deadline: float | None) -> None:
    """Let the channel's next call end at the deadline."""
    if deadline is not None:
        channel.settimeout(max(0.01, deadline - time.monotonic()))


def _after(mark: str, output: bytes) -> bytes | None:
    """What follows the mark's line; None without it."""
    _, found, rest = output.partition(f"{mark}\n".encode())
    return rest if found else None
