"""The host key check: a host is refused unless known_hosts has the very key that it shows.

Fabric alone reads no known_hosts and accepts any key. Messages show the fingerprints, and the
command that accepts the key once a person has compared them.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import paramiko

from provision.inventory.model import Host


class UnknownHostKey(paramiko.SSHException):
    def __init__(self, key: paramiko.PKey) -> None:
        self.key = key
        super().__init__("unknown host key")


class _RefuseUnknown(paramiko.MissingHostKeyPolicy):
    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002 - paramiko's signature
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        raise UnknownHostKey(key)


def require_known(client: paramiko.SSHClient, known_hosts: Path) -> None:
    """Let the client accept only the keys in the file. Raises OSError when it cannot be read."""
    client.set_missing_host_key_policy(_RefuseUnknown())
    client.load_system_host_keys(str(known_hosts))


def refusal(error: Exception, host: Host, known_hosts: Path) -> str | None:
    """Why the host's key was refused and what to do about it; None for an unrelated error."""
    if isinstance(error, UnknownHostKey):
        return (
            f"its host key {_fingerprint(error.key)} is not in {known_hosts}. Compare the"
            " fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub on"
            f" its console), then accept it: {_accept(host, known_hosts)}"
        )
    if isinstance(error, paramiko.BadHostKeyException):
        address = host.ssh_address
        name = address if host.port == 22 else f"[{address}]:{host.port}"  # as known_hosts has it
        return (
            f"its host key CHANGED: {known_hosts} has {_fingerprint(error.expected_key)},"
            f" the host shows {_fingerprint(error.key)}. Either it was installed anew or"
            " someone is in between. Only if you know why:"
            f" ssh-keygen -R {shlex.quote(name)} -f {known_hosts}; {_accept(host, known_hosts)}"
        )
    return None


def _accept(host: Host, known_hosts: Path) -> str:
    """The command line that adds the host's key to known_hosts."""
    if host.proxy_command:
        return (
            f"ssh -o ProxyCommand={shlex.quote(host.proxy_command)}"
            f" -o UserKnownHostsFile={known_hosts} -p {host.port}"
            f" {host.user}@{host.ssh_address} true"
        )
    return f"ssh-keyscan -p {host.port} {host.ssh_address} >> {known_hosts}"


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
