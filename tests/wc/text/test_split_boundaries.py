"""Regions of splits partition a file at places where neither words nor characters are cut."""

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wc.support import strategies as given_
from wc.text import split_boundaries


def reader(data):
    return lambda offset, n: data[offset : offset + n]


def boundary(data, x):
    *_, last = split_boundaries.approach(reader(data), len(data), x)
    return last


def regions(data, size):
    return [
        (boundary(data, at), boundary(data, min(at + size, len(data))))
        for at in range(0, len(data), size)
    ]


def test_space_pattern_is_that_of_str_split():
    # Given every code point; Expect the pattern to match exactly the white space.
    for code in range(0x110000):
        if 0xD800 <= code <= 0xDFFF:
            continue
        encoded = chr(code).encode()
        assert bool(split_boundaries._SPACE.fullmatch(encoded)) == (not chr(code).split())


def test_unit_pattern_is_that_of_the_decoder():
    # Given all lead bytes with telling second, third and fourth bytes; Expect the first unit to
    # be the first character that Python's decoder makes of them.
    telling = [b"", *(bytes([b]) for b in (0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC2))]
    for lead in range(256):
        for second in telling:
            for third in telling if second else telling[:1]:
                for fourth in (b"", b"A", b"\x80") if third else telling[:1]:
                    data = bytes([lead]) + second + third + fourth
                    unit = split_boundaries._UNIT.match(data)
                    assert unit is not None
                    rest = data[unit.end() :].decode(errors="replace")
                    assert data.decode(errors="replace")[1:] == rest
                    assert len(unit.group().decode(errors="replace")) == 1


@settings(max_examples=400)
@given(given_.nasty_bytes, given_.sizes)
def test_regions_partition_the_file_between_words(data, size):
    # Given any bytes and any splits; Expect regions end to end, and the words of the regions,
    # each decoded alone, to be those of the whole.
    found = regions(data, size)
    assert all(a[1] == b[0] for a, b in pairwise(found))
    if data:
        assert (found[0][0], found[-1][1]) == (0, len(data))
    assert all(start <= stop for start, stop in found)
    words = [w for a, b in found for w in data[a:b].decode(errors="replace").split()]
    assert words == data.decode(errors="replace").split()


@given(st.text(st.sampled_from("aé \n\x85\u2003\u3000"), max_size=60), given_.sizes)
def test_a_word_belongs_to_the_split_in_which_it_starts(text, size):
    # Expect so in bytes, too, whatever the width of the space before the word.
    data = text.encode()
    found = regions(data, size)
    for word in re.finditer(r"\S+", text):
        begin = len(text[: word.start()].encode())
        start, stop = found[begin // size]
        assert start <= begin < begin + len(word.group().encode()) <= stop


@given(given_.nasty_bytes)
def test_boundary_never_decreases(data):
    found = [boundary(data, x) for x in range(-1, len(data) + 2)]
    assert found == sorted(found)


def test_space_across_two_blocks():
    # Given a long word ended by a three-byte space that lies across the blocks of the scan;
    # Expect it to be found, wherever exactly it lies.
    for shift in range(-4, 5):
        data = b"x" * (split_boundaries.BLOCK_BYTES + shift) + "\u3000y".encode()
        end = split_boundaries.BLOCK_BYTES + shift
        assert boundary(data, 1) == end


def test_word_of_a_megabyte():
    # Given tiny splits all within one word; Expect the first to have it, the others nothing.
    data = b"x" * 1_000_000
    assert regions(data, 500_000) == [(0, len(data)), (len(data), len(data))]


def test_a_long_word_is_approached_block_by_block():
    # Expect ever nearer places, so that nobody need read on who has read enough.
    data = b"x" * 1_000_000
    places = list(split_boundaries.approach(reader(data), len(data), 7))
    assert places == sorted(set(places))
    assert places[0] < 2 * split_boundaries.BLOCK_BYTES
    assert places[-1] == len(data)
