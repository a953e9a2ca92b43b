"""Reach a host by SSH: a Fabric connection that never takes a key it does not know.

Fabric accepts any unknown host key and reads no known_hosts; both are put right here. The agent
is not forwarded. Another login than root goes through `sudo -n`.
"""

from __future__ import annotations

import shlex
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
from fabric import Config, Connection  # type: ignore[import-untyped]

from provision.connect.contract import ConnectionFailed, Connector, RawResult
from provision.inventory.model import Host

CONNECT_SECONDS = 10
KEEPALIVE_SECONDS = 15
CHUNK = 1 << 16

# sshd does not kill what a vanished client started. The command runs in a session of its own, and
# when our end of standard input closes before the command ends, the session is killed.
GUARD = """exec 3<&0
setsid sh -c {script} </dev/null 3<&- & command=$!
{{ read -r -u 3; kill -KILL -- -$command; }} >/dev/null 2>&1 & hangup=$!
wait $command; code=$?
kill $hangup 2>/dev/null
exit $code"""


class _Unknown(paramiko.MissingHostKeyPolicy):
    """Refuse a host whose key is not in known_hosts, remembering the key for the message."""

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002 - paramiko's signature
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        raise _UnknownKey(key)


class _UnknownKey(paramiko.SSHException):
    def __init__(self, key: paramiko.PKey) -> None:
        self.key = key
        super().__init__("unknown host key")


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
            # The inventory is the one place that says how hosts are reached.
            config=Config(overrides={"load_ssh_configs": False}),
        )
        connection.client.set_missing_host_key_policy(_Unknown())
        try:
            connection.client.load_system_host_keys(str(self.known_hosts))
            connection.open()
            connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        except BaseException as error:
            connection.close()
            if isinstance(error, Exception):
                raise ConnectionFailed(f"{self._where()}: {self._explain(error)}") from error
            raise
        return connection

    def _explain(self, error: Exception) -> str:
        if isinstance(error, _UnknownKey):
            return (
                f"its host key {_fingerprint(error.key)} is not in {self.known_hosts}. Compare the"
                " fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub on"
                f" its console), then accept it: {self._accept()}"
            )
        if isinstance(error, paramiko.BadHostKeyException):
            name = self._known_name()
            return (
                f"its host key CHANGED: {self.known_hosts} has {_fingerprint(error.expected_key)},"
                f" the host shows {_fingerprint(error.key)}. Either it was installed anew or"
                " someone is in between. Only if you know why:"
                f" ssh-keygen -R {shlex.quote(name)} -f {self.known_hosts}; {self._accept()}"
            )
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

    def _known_name(self) -> str:
        """How known_hosts spells this host."""
        host = self.host
        return host.ssh_address if host.port == 22 else f"[{host.ssh_address}]:{host.port}"

    def _accept(self) -> str:
        host = self.host
        if host.proxy_command:
            return (
                f"ssh -o ProxyCommand={shlex.quote(host.proxy_command)}"
                f" -o UserKnownHostsFile={self.known_hosts} -p {host.port}"
                f" {host.user}@{host.ssh_address} true"
            )
        return f"ssh-keyscan -p {host.port} {host.ssh_address} >> {self.known_hosts}"

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
        outside: bool,  # noqa: ARG002 - an SSH host has but one network
    ) -> RawResult | None:
        deadline = None if timeout is None else time.monotonic() + timeout
        guarded = GUARD.format(script=shlex.quote(script)) if stdin is None else script
        with self._session(guarded) as channel:
            errors: list[bytes] = []
            # Both pipes are drained at once: a full one would block the other end.
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
                pass  # it ended without reading everything; its exit code tells why
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
        """sudo's own refusal is about the way to the host, not about the command."""
        if self.host.user != "root" and errors.startswith((b"sudo: ", b"bash: line 1: sudo: ")):
            said = errors.decode("utf-8", "replace").strip()
            raise ConnectionFailed(
                f"{self._where()}: {said}: let {self.host.user} use sudo without a password"
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
    receive: object, into: list[bytes], channel: paramiko.Channel, deadline: float | None
) -> bool:
    """Collect until the other end closes; False when the deadline passed first."""
    assert callable(receive)  # noqa: S101 - channel.recv or channel.recv_stderr
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


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
