"""The packed, immutable word counts of one split.

A delta is a pure function of the split's bytes and has exactly one encoding: equal counts are
equal bytes, whoever counted. So replicas may compare deltas by digest, and a split counted twice
is seen to agree. `unpack` therefore refuses whatever `pack` would not have written.

Words are ordered by `place`, a hash that is the same on every machine, and those of the same place
by their bytes: in C, numbers that a hash spread evenly are sorted without comparing words.
The layout, byte by byte, is in docs/delta-format.md.
"""

import struct
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from operator import lt

import xxhash

MAGIC = b"FLD"
VERSION = 2
DIGEST_START, BODY_START, HEADER_BYTES = 4, 20, 40  # the digest covers all bytes from 20 on

_FIELDS = struct.Struct("<QQBB2s")  # distinct words, tokens, count width, length width, zeros
_WIDTHS = (1, 2, 4, 8)
_MAX_WORD_BYTES = 2**32 - 1
_MAX_64 = 2**64 - 1
_digest = xxhash.xxh3_128_digest
_HASHED_WHOLE = 15  # bytes of the longest word that is hashed as one number of 128 bits
_K0, _K1 = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
# array's type codes have platform-dependent sizes, so pick them by size.
_TYPECODES = {array(code).itemsize: code for code in "QLIHB"}


class DeltaError(ValueError):
    """The bytes are not a delta (truncated, damaged, not canonical), or the counts fit in none."""


@dataclass(frozen=True)
class Header:
    """A delta's header: distinct words, tokens, bytes per count, bytes per length."""

    words: int
    total: int
    count_width: int
    length_width: int


def pack(counts: Mapping[str, int]) -> bytes:
    """The one encoding of `counts`.

    Raises DeltaError for a count outside 1..2^64-1, a total or a word too large for its field,
    or a word with no UTF-8 encoding (a lone surrogate).
    """
    try:
        encoded = [word.encode() for word in counts]
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 20) : error.end + 20]
        raise DeltaError(f"a word has no UTF-8 encoding: {error.reason} in {near!r}") from None
    ordered = sorted(zip(map(place, encoded), encoded, counts.values(), strict=True))
    values = [count for _, _, count in ordered]
    lengths = [len(data) for _, data, _ in ordered]
    total = sum(values)
    if min(values, default=1) < 1:
        word = next(word for word in counts if counts[word] < 1)
        raise DeltaError(f"count of {word[:80]!r} is {counts[word]}, at least 1 expected")
    if total > _MAX_64:
        raise DeltaError(f"{total} tokens do not fit in 64 bits")
    if max(lengths, default=0) > _MAX_WORD_BYTES:
        raise DeltaError(f"a word of {max(lengths)} bytes: at most {_MAX_WORD_BYTES} fit")
    count_width = _width(max(values, default=0))
    length_width = _width(max(lengths, default=0))
    body = b"".join(
        (
            _FIELDS.pack(len(counts), total, count_width, length_width, b"\0\0"),
            _column(values, count_width),
            _column(lengths, length_width),
            *(data for _, data, _ in ordered),
        )
    )
    return MAGIC + bytes((VERSION,)) + _digest(body) + body


def unpack(delta: bytes) -> dict[str, int]:
    """The counts, in the delta's order. Raises DeltaError for anything wrong."""
    head = header(delta)
    if _digest(memoryview(delta)[BODY_START:]) != checksum(delta):
        raise DeltaError("checksum mismatch: the delta was damaged, fetch or count it again")
    lengths_start = HEADER_BYTES + head.words * head.count_width
    words_start = lengths_start + head.words * head.length_width
    values = _numbers(delta[HEADER_BYTES:lengths_start], head.count_width)
    lengths = _numbers(delta[lengths_start:words_start], head.length_width)
    _require_canonical(head, values, lengths)
    blob = delta[words_start:]
    if sum(lengths) != len(blob):
        raise DeltaError(
            f"the words should take {sum(lengths)} bytes from byte {words_start}, "
            f"but {len(blob)} are there"
        )
    ends = zip(accumulate(lengths), lengths, strict=True)
    encoded = [blob[end - length : end] for end, length in ends]
    words = _decode(encoded, blob.isascii(), words_start)
    places = list(map(place, encoded))
    if not all(map(lt, places, places[1:])):  # rare: two words have the same place
        order = list(zip(places, encoded, strict=True))
        for at in range(1, len(order)):
            if order[at - 1] >= order[at]:
                raise DeltaError(f"word {at} ({words[at][:80]!r}) is not behind the word before it")
    return dict(zip(words, values, strict=True))


def header(delta: bytes) -> Header:
    """The header, checked by itself and against the delta's size, without the checksum."""
    if len(delta) < HEADER_BYTES:
        raise DeltaError(f"{len(delta)} bytes: a delta has at least {HEADER_BYTES}")
    if delta[:3] != MAGIC:
        raise DeltaError(f"starts with {delta[:3]!r} and not {MAGIC!r}: not a delta")
    if delta[3] != VERSION:
        raise DeltaError(
            f"version {delta[3]} at byte 3: only {VERSION} is known here "
            "(another version of faultline counted this: start the job anew)"
        )
    words, total, count_width, length_width, zeros = _FIELDS.unpack_from(delta, BODY_START)
    if count_width not in _WIDTHS:
        raise DeltaError(f"count width {count_width} at byte 36: one of 1, 2, 4, 8 expected")
    if length_width not in _WIDTHS[:3]:
        raise DeltaError(f"length width {length_width} at byte 37: one of 1, 2, 4 expected")
    if zeros != b"\0\0":
        raise DeltaError(f"bytes 38 and 39 are {zeros!r}: zeros expected")
    needed = HEADER_BYTES + words * (count_width + length_width)
    if needed > len(delta):
        raise DeltaError(f"truncated: {words} words need over {needed} bytes, have {len(delta)}")
    return Header(words, total, count_width, length_width)


def checksum(delta: bytes) -> bytes:
    """The checksum of 16 bytes that the delta states. Not verified here."""
    if len(delta) < HEADER_BYTES:
        raise DeltaError(f"{len(delta)} bytes: a delta has at least {HEADER_BYTES}")
    return bytes(delta[DIGEST_START:BODY_START])


def place(word: bytes) -> int:
    """The hash of a word (UTF-8) that orders it, 32 bits. No defence against crafted words."""
    length = len(word)
    if length > _HASHED_WHOLE:
        return _place_of_long(word, length)
    key = int.from_bytes(word, "little") | (length + 1) << 120
    product = ((key & _MAX_64) ^ _K1) * (key >> 64 ^ _K0)
    return (product ^ product >> 64) >> 32 & 0xFFFFFFFF


def _place_of_long(word: bytes, length: int) -> int:
    state = _K1 ^ length
    for at in range(0, max(1, length - 16), 16):
        state = _mix(_eight(word, at) ^ _K0 ^ state, _eight(word, at + 8) ^ _K0)
    last = length - 16
    return (_mix(_eight(word, last) ^ _K1 ^ state, _eight(word, last + 8) ^ _K0) ^ state) >> 32


def _eight(word: bytes, at: int) -> int:
    return int.from_bytes(word[at : at + 8], "little")


def _mix(a: int, b: int) -> int:
    """Multiply to 128 bits and fold (the mixing step of Wang Yi's wyhash)."""
    product = a * b
    return (product ^ product >> 64) & _MAX_64


def _width(largest: int) -> int:
    return next(width for width in _WIDTHS if largest < 1 << 8 * width)


def _column(numbers: list[int], width: int) -> bytes:
    column = array(_TYPECODES[width], numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _numbers(column: bytes, width: int) -> list[int]:
    numbers = array(_TYPECODES[width], column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _require_canonical(head: Header, values: list[int], lengths: list[int]) -> None:
    if 0 in values:
        raise DeltaError(f"count {values.index(0)} is 0: at least 1 expected")
    if sum(values) != head.total:
        raise DeltaError(f"the counts add up to {sum(values)}, the header says {head.total}")
    for name, used, numbers in (
        ("count", head.count_width, values),
        ("length", head.length_width, lengths),
    ):
        minimal = _width(max(numbers, default=0))
        if used != minimal:
            raise DeltaError(f"{name} width {used} where {minimal} is enough: not canonical")


def _decode(encoded: list[bytes], ascii_only: bool, start: int) -> list[str]:
    if ascii_only:
        return [str(data, "ascii") for data in encoded]
    try:
        return [data.decode() for data in encoded]
    except UnicodeDecodeError as error:
        raise DeltaError(
            f"a word of the {len(encoded)} from byte {start} on is not UTF-8: "
            f"{error.object[:80]!r}, {error.reason}"
        ) from None
