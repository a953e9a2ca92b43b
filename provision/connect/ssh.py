"""Reach a host by SSH, through a Fabric connection.

Its host key is checked (host_keys.py), and the agent is not forwarded. Commands run as root: after
a login as another user, by `sudo -n`.
"""

from __future__ import annotations

import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
from fabric import Config, Connection  # type: ignore[import-untyped]

from provision.connect import host_keys
from provision.connect.contract import ConnectionFailed, Connector, RawResult
from provision.inventory.model import Host

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 15
CHUNK = 1 << 16

# sshd does not kill the commands of a client that has vanished. So a command runs in a session of
# its own, which is killed when our end of standard input closes before the command ends. It is
# killed by its process id first, because on a busy machine setsid may not have run yet.
GUARD = """exec 3<&0
setsid sh -c {script} </dev/null 3<&- & command=$!
{{ read -r -u 3; kill -KILL $command; kill -KILL -- -$command; }} >/dev/null 2>&1 & hangup=$!
wait $command; code=$?
kill $hangup 2>/dev/null
exit $code"""


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

    def _where(self) -> str:
        return f"{self.host.name} ({self.host.user}@{self.host.ssh_address} port {self.host.port})"

    def _open(self) -> Connection:
        host = self.host
        options: dict[str, object] = {}
        if host.identity_file:
            options = {
                "key_filename": host.identity_file,
                "allow_agent": False,
                "look_for_keys": False,
            }
        connection = Connection(
            host.ssh_address,
            user=host.user,
            port=host.port,
            gateway=host.proxy_command or None,
            forward_agent=False,
            connect_timeout=CONNECT_SECONDS,
            connect_kwargs=options,
            # The inventory alone says how hosts are reached: ~/.ssh/config is not read.
            config=Config(overrides={"load_ssh_configs": False}),
        )
        try:
            host_keys.require_known(connection.client, self.known_hosts)
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise ConnectionFailed(f"{self._where()}: {self._explain(error)}") from error
            raise
        return connection

    def _explain(self, error: Exception) -> str:
        if refusal := host_keys.refusal(error, self.host, self.known_hosts):
            return refusal
        if isinstance(error, paramiko.AuthenticationException):
            key = self.host.identity_file or "the agent's and ~/.ssh's keys"
            return (
                f"login refused with {key}: check `user` and `identity_file` in the inventory and"
                f" {self.host.user}'s authorized_keys on the host"
            )
        if isinstance(error, TimeoutError | socket.timeout):
            return (
                f"no answer in {CONNECT_SECONDS} s: check the address, the port, and firewalls"
                " between here and there"
            )
        return (
            f"{str(error) or type(error).__name__}: check that it is up, that sshd listens on that"
            " address and port, and `proxy_command` if there is one"
        )

    def _session(self, command: str) -> paramiko.Channel:
        try:
            channel = self._transport().open_session(timeout=CONNECT_SECONDS)
            if self.host.user != "root":
                command = f"sudo -n -- bash -c {shlex.quote(command)}"
            else:
                command = f"bash -c {shlex.quote(command)}"
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
        guarded = GUARD.format(script=shlex.quote(script)) if stdin is None else script
        with self._session(guarded) as channel:
            errors: list[bytes] = []
            # Standard error is read in a thread: a full pipe would block the command.
            drain = threading.Thread(
                target=_drain, args=(channel.recv_stderr, errors, channel, deadline), daemon=True
            )
            drain.start()
            output: list[bytes] = []
            try:
                if stdin is not None:
                    channel.settimeout(timeout)
                    channel.sendall(stdin)
                    channel.shutdown_write()
            except OSError:
                pass  # the command ended without reading it all; its exit code says why
            if not _drain(channel.recv, output, channel, deadline):
                return None
            drain.join()
            self._check_sudo(b"".join(errors))
            return RawResult(self._exit_code(channel), b"".join(output), b"".join(errors))

    def _follow(self, script: str) -> Iterator[str | int]:
        with self._session(GUARD.format(script=shlex.quote(f"exec 2>&1\n{script}"))) as channel:
            with channel.makefile("rb") as lines:
                for line in lines:
                    yield line.decode("utf-8", "replace").rstrip("\n")
            yield self._exit_code(channel)

    def _check_sudo(self, errors: bytes) -> None:
        """Raise ConnectionFailed when sudo refused: no command ran."""
        if self.host.user != "root" and errors.startswith((b"sudo: ", b"bash: line 1: sudo: ")):
            message = errors.decode("utf-8", "replace").strip()
            raise ConnectionFailed(
                f"{self._where()}: {message}: let {self.host.user} use sudo without a password"
                ' (NOPASSWD: ALL), or log in with `user = "root"`'
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


def _drain(
    receive: Callable[[int], bytes],
    into: list[bytes],
    channel: paramiko.Channel,
    deadline: float | None,
) -> bool:
    """Collect bytes until the other end closes; False when the deadline passes first."""
    while True:
        if deadline is not None:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            chunk = receive(CHUNK)
        except TimeoutError:
            return False
        if not chunk:
            return True
        into.append(chunk)
