"""The key that the inventory's `identity_file` names."""

from __future__ import annotations

import base64
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

PUBLIC = ("ssh-", "ecdsa-", "sk-")


def load(path: str) -> paramiko.PKey:
    """The private key of a file; where only the agent can use it, the agent's key.

    Raises ValueError, which says what the file is and what to do.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"identity_file {path}: {error.strerror}") from None
    if content.decode("utf-8", "replace").startswith(PUBLIC):
        return _from_agent(
            Path(path),
            f"identity_file {path} is a public key: name the private one, or load that into the"
            " agent (ssh-add)",
        )
    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException):  # cryptography raises TypeError
        return _from_agent(
            Path(f"{path}.pub"),
            f"identity_file {path} has a passphrase: load it into the agent (ssh-add {path}), with"
            f" {path}.pub beside it, or name a key without one",
        )
    except (ValueError, OSError, paramiko.SSHException, UnknownKeyType) as error:
        raise ValueError(f"identity_file {path} is no private key: {error}") from None


def _from_agent(public: Path, otherwise: str) -> paramiko.PKey:
    """The agent's key of which this is the public half. Raises ValueError with `otherwise`."""
    try:
        blob = base64.b64decode(public.read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        raise ValueError(otherwise) from None
    for key in paramiko.Agent().get_keys():
        if key.asbytes() == blob:
            return key
    raise ValueError(otherwise)
