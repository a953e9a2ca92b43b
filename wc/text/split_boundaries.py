"""The bytes of a split's words: a word belongs to the split in which it starts.

A split is a byte range [offset, offset + length) that was chosen without reading the file, so it
may begin within a word, and within a character. Let B(x) be the first place at or after x where
cutting harms neither; then the region of a split is [B(offset), B(offset + length)). B never
decreases, B(0) = 0 and B(size) = size. So the regions of splits that cover a file also cover it,
without gap or overlap, and no word lies in two of them, not even in a file that is not UTF-8.

The bytes are cut as Python's decoder cuts them: into *units*, each a character or a maximal
ill-formed part (one U+FFFD). A byte that is no continuation byte (80-BF) always begins a unit,
wherever it stands. Two things follow. Looking back three bytes finds the unit that a byte lies
in. And the bytes of a white-space character, which begin with such a byte and are well-formed,
are that character wherever they are found: searching for them needs no decoding.
"""

import re
from collections.abc import Callable, Iterator

ReadAt = Callable[[int, int], bytes]
"""(offset, n) -> the n bytes there; fewer only at the end of the file."""

BLOCK_BYTES = 64 * 1024

# What str.split() takes for white space, in UTF-8; a test compares it with all code points.
_SPACE = re.compile(
    rb"[\x09-\x0d\x1c-\x20]"
    rb"|\xc2[\x85\xa0]"
    rb"|\xe1\x9a\x80"
    rb"|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)"
    rb"|\xe3\x80\x80"
)
_SPACE_BYTES = 3  # the longest of them

# A character or the maximal ill-formed part of one, from its first byte on (Unicode, table 3-7).
_UNIT = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]?"
    rb"|(?:\xe0[\xa0-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]|\xed[\x80-\x9f])[\x80-\xbf]?"
    rb"|(?:\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf]{0,2}"
    rb"|[\x00-\xff]",
)
_UNIT_BYTES = 4


def approach(read_at: ReadAt, size: int, x: int) -> Iterator[int]:
    """Places ever nearer to B(x), the first at or after byte x where the file of `size` bytes can
    be cut between words; the last is B(x). Who reads a long word need not know yet where it ends.
    """
    if x <= 0 or x >= size:
        yield 0 if x <= 0 else size
        return
    base = max(0, x - _UNIT_BYTES)
    around = read_at(base, x + _UNIT_BYTES - base)
    cut = base + _unit_boundary(around, x - base)
    if _ends_in_space(around[: cut - base]):
        yield cut
    else:
        yield from _towards_space(read_at, size, cut)


def _unit_boundary(data: bytes, x: int) -> int:
    """The first boundary between units at or after x, which is at most 4 bytes into `data`."""
    for lead in range(x, max(x - _UNIT_BYTES, -1), -1):
        if not 0x80 <= data[lead] <= 0xBF:
            unit = _UNIT.match(data, lead)
            # A unit that ends before x leaves continuation bytes that are units of their own.
            return max(x, unit.end()) if unit and lead < x else x
    return x


def _ends_in_space(data: bytes) -> bool:
    return any(_SPACE.fullmatch(data[-n:]) for n in range(1, _SPACE_BYTES + 1))


def _towards_space(read_at: ReadAt, size: int, start: int) -> Iterator[int]:
    """Places up to which there is no white space from `start` on; the last is where the first
    begins, or else `size`."""
    while start < size:
        block = read_at(start, BLOCK_BYTES)
        found = _SPACE.search(block)
        if found:
            yield start + found.start()
            return
        if len(block) < _SPACE_BYTES or start + len(block) >= size:
            break
        start += len(block) - (_SPACE_BYTES - 1)  # a space may lie across two blocks
        yield start
    yield size
