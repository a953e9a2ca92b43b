"""Sets of sequence numbers as bitmaps. Pure.

Bits are in the order of Redis' GETBIT: bit ``seq`` is in byte ``seq // 8``, most significant first.
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
    """Bits set in any bitmap; as long as the longest."""
    # Bit 0 is the first byte's highest bit, so a shorter bitmap is padded on the right.
    length = max(map(len, bitmaps), default=0)
    total = 0
    for bitmap in bitmaps:
        total |= int.from_bytes(bitmap.ljust(length, b"\0"), "big")
    return total.to_bytes(length, "big")


def difference(bits: bytes, other: bytes) -> bytes:
    """Bits set in the first bitmap and not in the other; as long as the first."""
    length = len(bits)
    removed = int.from_bytes(other[:length].ljust(length, b"\0"), "big")
    return (int.from_bytes(bits, "big") & ~removed).to_bytes(length, "big")


def count(bitmap: bytes) -> int:
    return int.from_bytes(bitmap, "big").bit_count()


def add(bitmap: bytearray, bit: int) -> None:
    """Set a bit in place. The bitmap grows as needed."""
    byte = bit // 8
    if byte >= len(bitmap):
        bitmap.extend(bytes(byte + 1 - len(bitmap)))
    bitmap[byte] |= 0x80 >> (bit % 8)


def contains(bitmap: bytes, bit: int) -> bool:
    return bit // 8 < len(bitmap) and bool(bitmap[bit // 8] & (0x80 >> (bit % 8)))


def intersection(bitmaps: Sequence[bytes]) -> bytes:
    """Bits set in every bitmap; as long as the shortest."""
    length = min(map(len, bitmaps), default=0)
    total = (1 << 8 * length) - 1
    for bitmap in bitmaps:
        total &= int.from_bytes(bitmap[:length], "big")
    return total.to_bytes(length, "big")


def prefix(bitmap: bytes) -> int:
    """The largest n with bits 1..n all set; 0 if bit 1 is clear."""
    whole = 0
    # Bit 0 is not used: it counts as set.
    for byte in bytes([bitmap[0] | 0x80]) + bitmap[1:] if bitmap else b"":
        if byte != 0xFF:
            ones = 8 - (byte ^ 0xFF).bit_length()
            return whole * 8 + ones - 1
        whole += 1
    return max(0, whole * 8 - 1)


def up_to(bitmap: bytes, last: int) -> bytes:
    """The set bits that are at most ``last``, without trailing zero bytes."""
    cut = bytearray(bitmap[: last // 8 + 1])
    if len(cut) == last // 8 + 1:
        cut[-1] &= 0xFF << (7 - last % 8) & 0xFF
    return bytes(cut).rstrip(b"\0")


def first(last: int) -> bytes:
    """Bits 1..last set."""
    return ((1 << last) - 1 << 7 - last % 8).to_bytes(last // 8 + 1, "big") if last else b""
