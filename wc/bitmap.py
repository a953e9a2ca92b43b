"""Dots as bitmaps: which sequence numbers are set, and what one bitmap lacks of another.

Bit ``seq`` is Redis' GETBIT order: byte ``seq // 8``, most significant bit first. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def members(bitmap: bytes) -> Iterator[int]:
    """The set bits, ascending."""
    for index, byte in enumerate(bitmap):
        if byte:
            for bit in range(8):
                if byte & (0x80 >> bit):
                    yield index * 8 + bit


def union(bitmaps: Sequence[bytes]) -> bytes:
    """Bits set in any; as long as the longest."""
    # Bit 0 is the first byte's highest, so a shorter bitmap is padded on the right.
    length = max(map(len, bitmaps), default=0)
    total = 0
    for bitmap in bitmaps:
        total |= int.from_bytes(bitmap.ljust(length, b"\0"), "big")
    return total.to_bytes(length, "big")


def missing(mine: bytes, theirs: bytes) -> bytes:
    """Bits that ``theirs`` has and ``mine`` lacks."""
    length = len(theirs)
    ours = int.from_bytes(mine[:length].ljust(length, b"\0"), "big")
    return (int.from_bytes(theirs, "big") & ~ours).to_bytes(length, "big")


def count(bitmap: bytes) -> int:
    return int.from_bytes(bitmap, "big").bit_count()


def add(bitmap: bytearray, bit: int) -> None:
    """Set a bit in place, making the bitmap longer if need be."""
    byte = bit // 8
    if byte >= len(bitmap):
        bitmap.extend(bytes(byte + 1 - len(bitmap)))
    bitmap[byte] |= 0x80 >> (bit % 8)


def contains(bitmap: bytes, bit: int) -> bool:
    return bit // 8 < len(bitmap) and bool(bitmap[bit // 8] & (0x80 >> (bit % 8)))
