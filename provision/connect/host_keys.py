"""The host key check: a host is refused unless known_hosts has the very key that it shows.

Fabric alone reads no known_hosts and accepts any key, and paramiko refuses a whole file for one
line. Messages show the fingerprints, and the command that accepts the key once a person has
compared them.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import paramiko

from provision.connect import known_hosts
from provision.connect.known_hosts import AUTHORITY, REVOKED, Line, about, fingerprint
from provision.connect.ssh_config import Target


class Refused(paramiko.SSHException):
    """The host's key is not to be trusted; the message says why, and what to do about it."""


class HostKeys(paramiko.MissingHostKeyPolicy):
    """Decides on the key that a host shows. Raises OSError when known_hosts cannot be read."""

    def __init__(self, target: Target, path: Path) -> None:
        self._target, self._path = target, path
        self._lines = list(known_hosts.read(path.read_text("utf-8", "replace")))

    def transport(self, *arguments: Any, **options: Any) -> paramiko.Transport:
        """A transport that asks the host for a key of a type that is known before any other."""
        transport = paramiko.Transport(*arguments, **options)
        known = {line.key_type for line in about(self._lines, self._target.name) if line.key}
        security = transport.get_security_options()
        security.key_types = sorted(security.key_types, key=lambda name: _type(name) not in known)
        return transport

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002 - paramiko's signature
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        """Called for every key, as paramiko is told of none. Raises Refused."""
        name, shown = self._target.name, key.asbytes()
        text = fingerprint(key.get_name(), shown)
        for line in about(self._lines, name, REVOKED):
            if line.key == shown:
                raise Refused(
                    f"its host key {text} is revoked by line {line.number} of {self._path}: give"
                    " the host a new key before anybody logs in there"
                )
        # OpenSSH takes a key that is known for the address alone at any port of it.
        places = (name, self._target.address) if name.startswith("[") else (name,)
        if any(line.key == shown for place in places for line in about(self._lines, place)):
            return
        others = [line for line in about(self._lines, name) if line.key_type == key.get_name()]
        changed = [line for line in others if line.key]
        raise Refused(self._changed(changed, text) if changed else self._unknown(text))

    def _changed(self, expected: list[Line], shown: str) -> str:
        known = ", ".join(fingerprint(line.key_type, line.key or b"") for line in expected)
        return (
            f"its host key CHANGED: {self._path} has {known}, the host shows {shown}. Either it was"
            " installed anew or someone is in between. Only if you know why:"
            f" ssh-keygen -R {shlex.quote(self._target.name)} -f {self._path}; {self._accept()}"
        )

    def _unknown(self, shown: str) -> str:
        name, notes = self._target.name, ""
        for line in about(self._lines, name):
            if line.key is None:
                notes += f" (line {line.number} is about it, but is not a whole key)"
        for line in about(self._lines, name, AUTHORITY):
            notes += (
                f" (line {line.number} trusts hosts with a certificate, which are not supported"
                " here: its own key is needed)"
            )
        return (
            f"its host key {shown} is not in {self._path}{notes}. Compare the fingerprint with the"
            " host's own (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub on its console), then accept"
            f" it: {self._accept()}"
        )

    def _accept(self) -> str:
        """The command line that adds the host's key to known_hosts."""
        target = self._target
        plain = known_hosts.name_of(target.address, target.port)
        if not target.proxy_command and target.name == plain:
            return f"ssh-keyscan -p {target.port} {target.address} >> {self._path}"
        options = [f"UserKnownHostsFile={self._path}"]
        if target.proxy_command:
            options.append(f"ProxyCommand={target.proxy_command}")
        if target.name != plain:
            options.append(f"HostKeyAlias={target.name}")
        flags = " ".join(f"-o {shlex.quote(option)}" for option in options)
        return f"ssh {flags} -p {target.port} {target.user}@{target.address} true"


def _type(algorithm: str) -> str:
    """The type of the keys that an algorithm of signatures uses."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm
