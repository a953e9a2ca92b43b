"""Sets of sequence numbers as bitmaps. Pure.

Bits are in the order of Redis' GETBIT: bit ``seq`` is in byte ``seq // 8``, most significant first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import and_, or_

from bitarray import bitarray

Bitmap = bytes | bytearray


def _bits(bitmap: Bitmap) -> bitarray:
    """A view of the bitmap; of a bytearray no bits can be added as long as it lives."""
    return bitarray(buffer=bitmap, endian="big")


def members(bitmap: Bitmap) -> Iterator[int]:
    """The set bits, ascending."""
    return _bits(bitmap).search(1)


def union(bitmaps: Sequence[Bitmap]) -> bytes:
    """Bits set in any bitmap; as long as the longest."""
    length = max(map(len, bitmaps), default=0)
    every = (_bits(bitmap.ljust(length, b"\0")) for bitmap in bitmaps)
    return reduce(or_, every, bitarray(8 * length)).tobytes()


def difference(bits: Bitmap, other: Bitmap) -> bytes:
    """Bits set in the first bitmap and not in the other; as long as the first."""
    length = len(bits)
    return (_bits(bits) & ~_bits(other[:length].ljust(length, b"\0"))).tobytes()


def intersection(bitmaps: Sequence[Bitmap]) -> bytes:
    """Bits set in every bitmap; as long as the shortest."""
    length = min(map(len, bitmaps), default=0)
    every = (_bits(bitmap[:length]) for bitmap in bitmaps)
    return reduce(and_, every, ~bitarray(8 * length)).tobytes()


def count(bitmap: Bitmap) -> int:
    return _bits(bitmap).count()


def add(bitmap: bytearray, bit: int) -> None:
    """Set a bit in place. The bitmap grows as needed."""
    byte = bit // 8
    if byte >= len(bitmap):
        bitmap.extend(bytes(byte + 1 - len(bitmap)))
    bitmap[byte] |= 0x80 >> (bit % 8)


def contains(bitmap: Bitmap, bit: int) -> bool:
    return bit // 8 < len(bitmap) and bool(bitmap[bit // 8] & (0x80 >> (bit % 8)))


def prefix(bitmap: Bitmap) -> int:
    """The largest n with bits 1..n all set; 0 if bit 1 is clear."""
    clear = _bits(bitmap).find(0, 1)
    return (clear if clear > 0 else max(1, 8 * len(bitmap))) - 1


def up_to(bitmap: Bitmap, last: int) -> bytes:
    """The set bits that are at most ``last``, without trailing zero bytes."""
    return _bits(bitmap)[: last + 1].tobytes().rstrip(b"\0")


def first(last: int) -> bytes:
    """Bits 1..last set."""
    return ((1 << last) - 1 << 7 - last % 8).to_bytes(last // 8 + 1, "big") if last else b""
