"""Which dots of an origin one replica has, and in which form. Pure.

P and N as bitmaps, and how far the replica's base goes: dots 1..through are inside it, except
those in ``taken``, which are retracted and left out of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha1

from wc.core import bitmap
from wc.counts import delta
from wc.crdt.status import NO_DIGEST


@dataclass(frozen=True)
class Holding:
    """One origin on one replica. ``base_digest`` is the digest of dots 1..through."""

    applied: bytes = b""
    retracted: bytes = b""
    taken: bytes = b""
    through: int = 0
    base_digest: str = NO_DIGEST

    @property
    def base(self) -> tuple[int, bytes, str]:
        """Which base it is: the same sum where this is the same."""
        return self.through, self.taken, self.base_digest

    def offers(self, seqs: Iterable[int]) -> set[int]:
        """Those of ``seqs`` whose own delta the replica has, outside of its base."""
        return {s for s in seqs if s > self.through and bitmap.contains(self.applied, s)}


def dot_digest(origin: str, seq: int, packed: bytes) -> str:
    """A dot's share in its origin's digest, as lua/merge.lua computes it."""
    text = f"{origin}/{seq}/".encode() + delta.checksum(packed)
    return sha1(text, usedforsecurity=False).hexdigest()


def xor(a: str, b: str) -> str:
    """Of two digests in hex."""
    return f"{int(a, 16) ^ int(b, 16):040x}"
