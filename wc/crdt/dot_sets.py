"""Which dots of an origin a replica has, and whether as deltas or within its base. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1

from wc.core import bitmap
from wc.counts import delta
from wc.crdt.status import NO_DIGEST


@dataclass(frozen=True)
class DotSets:
    """One origin's dots on one replica: P and N as bitmaps, and which of them its base contains.

    The base is the sum of dots 1..``through`` without the ``excluded`` ones, which are retracted.
    ``base_digest`` is the digest of dots 1..``through``.
    """

    applied: bytes = b""
    retracted: bytes = b""
    excluded: bytes = b""
    through: int = 0
    base_digest: str = NO_DIGEST

    @property
    def base(self) -> tuple[int, bytes, str]:
        """Identifies the base: equal where the sums are equal."""
        return self.through, self.excluded, self.base_digest

    def offers(self, seqs: Iterable[int]) -> set[int]:
        """Those of ``seqs`` whose delta the replica has outside of its base."""
        return {s for s in seqs if s > self.through and bitmap.contains(self.applied, s)}


def dot_digest(origin: str, seq: int, packed: bytes) -> str:
    """A dot's contribution to its origin's digest, as wc/backends/lua/merge.lua computes it."""
    text = f"{origin}/{seq}/".encode() + delta.checksum(packed)
    return sha1(text, usedforsecurity=False).hexdigest()


def xor(a: str, b: str) -> str:
    """The XOR of two digests, all in hexadecimal."""
    return f"{int(a, 16) ^ int(b, 16):040x}"
