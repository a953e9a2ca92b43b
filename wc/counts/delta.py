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
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, compress, count, islice, pairwise
from operator import eq, lt

import xxhash

MAGIC = b"FLD"
VERSION = 2
DIGEST_START, BODY_START, HEADER_BYTES = 4, 20, 40  # the digest covers all bytes from 20 on

_FIELDS = struct.Struct("<QQBB2s")  # distinct words, tokens, count width, length width, zeros
_WIDTHS = (1, 2, 4, 8)
_MAX_WORD_BYTES = 2**32 - 1
_MAX_64 = 2**64 - 1
_TWO_NUMBERS = struct.Struct("<QQ")
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
    return pack_encoded(encoded, list(counts.values()))


def pack_encoded(words: list[bytes], counts: list[int]) -> bytes:
    """The same of distinct words that are UTF-8 already, which is not checked."""
    total = sum(counts)
    if (least := min(counts, default=1)) < 1:
        word = words[counts.index(least)].decode()
        raise DeltaError(f"count of {word[:80]!r} is {least}, at least 1 expected")
    if total > _MAX_64:
        raise DeltaError(f"{total} tokens do not fit in 64 bits")
    order = _order(words)
    ordered = [words[at] for at in order]
    lengths = list(map(len, ordered))
    if (longest := max(lengths, default=0)) > _MAX_WORD_BYTES:
        raise DeltaError(f"a word of {longest} bytes: at most {_MAX_WORD_BYTES} fit")
    count_width = _width(max(counts, default=0))
    length_width = _width(longest)
    body = b"".join(
        (
            _FIELDS.pack(len(words), total, count_width, length_width, b"\0\0"),
            _column([counts[at] for at in order], count_width),
            _column(lengths, length_width),
            *ordered,
        )
    )
    return MAGIC + bytes((VERSION,)) + _digest(body) + body


def unpack(delta: bytes) -> dict[str, int]:
    """The counts, in the delta's order. Raises DeltaError for anything wrong."""
    words, counts = unpack_encoded(delta)
    return dict(zip(map(bytes.decode, words), counts, strict=True))


def unpack_encoded(delta: bytes) -> tuple[list[bytes], list[int]]:
    """The distinct words, in UTF-8, and how often each was counted. Raises what `unpack` does."""
    head = verified(delta)
    lengths_start = HEADER_BYTES + head.words * head.count_width
    words_start = lengths_start + head.words * head.length_width
    counts = _numbers(delta[HEADER_BYTES:lengths_start], head.count_width)
    lengths = _numbers(delta[lengths_start:words_start], head.length_width)
    _require_canonical(head, counts, lengths)
    ends = list(accumulate(lengths, initial=words_start))
    if ends[-1] != len(delta):
        raise DeltaError(
            f"the words should take {ends[-1] - words_start} bytes from byte {words_start}, "
            f"but {len(delta) - words_start} are there"
        )
    words = [delta[start:end] for start, end in pairwise(ends)]
    _require_utf8(words, words_start)
    _require_order(words)
    return words, counts


def header(delta: bytes, size: int | None = None) -> Header:
    """The header, checked by itself and against the delta's size, without the checksum.

    ``size``: that of the delta in bytes, where only its beginning is given.
    """
    size = len(delta) if size is None else size
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
    if needed > size:
        raise DeltaError(f"truncated: {words} words need over {needed} bytes, have {size}")
    return Header(words, total, count_width, length_width)


def verified(delta: bytes) -> Header:
    """The header of a delta whose checksum is right. Raises DeltaError."""
    head = header(delta)
    if _digest(memoryview(delta)[BODY_START:]) != checksum(delta):
        raise DeltaError("checksum mismatch: the delta was damaged, fetch or count it again")
    return head


def checksum(delta: bytes) -> bytes:
    """The checksum of 16 bytes that the delta states. Not verified here."""
    if len(delta) < HEADER_BYTES:
        raise DeltaError(f"{len(delta)} bytes: a delta has at least {HEADER_BYTES}")
    return bytes(delta[DIGEST_START:BODY_START])


def place(word: bytes) -> int:
    """The hash of a word (UTF-8) that orders it, 32 bits. No defence against crafted words."""
    return places((word,))[0]


def places(words: Iterable[bytes]) -> list[int]:
    """The place of each word. One function without calls: here a large delta's time is spent.

    Two numbers are multiplied to 128 bits and folded (the mixing step of Wang Yi's wyhash).
    """
    from_bytes, two_numbers = int.from_bytes, _TWO_NUMBERS.unpack_from
    k0, k1, low_64 = _K0, _K1, _MAX_64
    found = []
    for word in words:
        length = len(word)
        if length <= _HASHED_WHOLE:
            key = from_bytes(word, "little") | (length + 1) << 120
            product = ((key & low_64) ^ k1) * (key >> 64 ^ k0)
            found.append((product ^ product >> 64) >> 32 & 0xFFFFFFFF)
            continue
        state = k1 ^ length
        for at in range(0, length - 16 or 1, 16):
            low, high = two_numbers(word, at)
            product = (low ^ k0 ^ state) * (high ^ k0)
            state = (product ^ product >> 64) & low_64
        low, high = two_numbers(word, length - 16)
        product = (low ^ k1 ^ state) * (high ^ k0)
        found.append((product ^ product >> 64 ^ state) >> 32 & 0xFFFFFFFF)
    return found


def _order(words: list[bytes]) -> list[int]:
    """The indexes of words in the order of a delta."""
    # Numbers are sorted, not pairs of a number and a word. Floats, for these are compared at once,
    # and ints of more than 30 bits digit by digit.
    keys = list(map(float, places(words)))
    order = sorted(range(len(words)), key=keys.__getitem__)
    ascending = [keys[at] for at in order]
    done = 0
    # Rare: two words have the same place.
    for at in compress(count(), map(eq, ascending, islice(ascending, 1, None))):
        if at >= done:
            done = bisect_right(ascending, ascending[at])
            order[at:done] = sorted(order[at:done], key=words.__getitem__)
    return order


def _require_order(words: list[bytes]) -> None:
    by_place = places(words)
    if all(map(lt, by_place, by_place[1:])):
        return
    order = list(zip(by_place, words, strict=True))
    for at in range(1, len(order)):
        if order[at - 1] >= order[at]:
            word = words[at].decode()
            raise DeltaError(f"word {at} ({word[:80]!r}) is not behind the word before it")


def _width(largest: int) -> int:
    return next(width for width in _WIDTHS if largest < 1 << 8 * width)


def _column(numbers: list[int], width: int) -> bytes:
    column = array(_TYPECODES[width], numbers)
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def numbers(column: bytes, width: int) -> "array[int]":
    """The numbers of a column, each of so many bytes."""
    found = array(_TYPECODES[width], column)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _numbers(column: bytes, width: int) -> list[int]:
    return numbers(column, width).tolist()


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


def _require_utf8(words: list[bytes], start: int) -> None:
    try:
        b" ".join(words).decode()  # no character can reach across a blank
    except UnicodeDecodeError as error:
        near = error.object[max(0, error.start - 40) : error.end + 40]
        raise DeltaError(
            f"a word of the {len(words)} from byte {start} on is not UTF-8: "
            f"{error.reason} near {near!r}"
        ) from None
