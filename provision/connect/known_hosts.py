"""known_hosts as OpenSSH reads it: which of its lines say something of a host's key.

A line has the names of hosts (patterns, or one hashed name) and a key; a marker before them makes
it the key of a certificate authority, or one that is revoked. Lines that are not understood harm
no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

REVOKED, AUTHORITY = "@revoked", "@cert-authority"


@dataclass(frozen=True)
class Line:
    """`key` is the key as it is sent, None when the line is not understood."""

    number: int
    marker: str
    names: str
    key_type: str
    key: bytes | None

    def is_about(self, host: str) -> bool:
        """Whether one of the line's patterns is this host, written as OpenSSH does."""
        host = host.lower()
        if self.names.startswith("|1|"):
            return _is_hash_of(self.names, host)
        patterns = self.names.lower().split(",")
        if any(_matches(pattern[1:], host) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_matches(pattern, host) for pattern in patterns)


def read(text: str) -> Iterator[Line]:
    """All lines but empty ones and comments."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        marker = words.pop(0) if words[0].startswith("@") else ""
        names, key_type, key = [*words[:3], "", "", ""][:3]
        yield Line(number, marker, names, key_type, _key(key_type, key))


def name_of(address: str, port: int) -> str:
    """A host as known_hosts has it."""
    return address if port == 22 else f"[{address}]:{port}"


def about(lines: Iterable[Line], host: str, marker: str = "") -> list[Line]:
    return [line for line in lines if line.marker == marker and line.is_about(host)]


def fingerprint(key_type: str, key: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")
    return f"{key_type} SHA256:{digest}"


def _key(key_type: str, text: str) -> bytes | None:
    """The key, if it is whole: its type, then parts that each have their length before them."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    parts, position = [], 0
    while position < len(key):
        end = position + 4 + int.from_bytes(key[position : position + 4], "big")
        parts.append(key[position + 4 : end])
        position = end
    whole = position == len(key) and len(parts) > 1 and parts[0] == key_type.encode()
    return key if whole else None


def _matches(pattern: str, host: str) -> bool:
    """`*` and `?` stand for any characters; nothing else is special, brackets least of all."""
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, host) is not None


def _is_hash_of(names: str, host: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part) for part in names.split("|")[2:4])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.digest(salt, host.encode(), "sha1"), digest)
