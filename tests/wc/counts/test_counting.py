"""Counts of splits add up to the counts of the whole, in bounded memory; tallies are exact."""

import os
import tracemalloc
from collections import Counter
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wc.support import strategies as given_
from wc.counts import delta, python_kernel
from wc.counts import kernel as counting
from wc.text import split_boundaries


@pytest.fixture(scope="module", params=["c", "python"], autouse=True)
def kernel(request):
    """Every test here with each kernel."""
    if request.param == "c":
        try:
            from wc.counts import c_kernel as module  # noqa: PLC0415 - it may not be built
        except ImportError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"{error}: build it with `python -m provision.build.extension`")
    else:
        module = python_kernel
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "count", module.count)
        patch.setattr(counting, "new_tally", module.Tally)
        yield


def count(data, size, tokenizer="whitespace", errors="strict"):
    return counting.count(given_.cut(data, size), tokenizer, errors)


def split_regions(data, size):
    def boundary(x):
        *_, last = split_boundaries.approach(lambda at, n: data[at : at + n], len(data), x)
        return last

    for at in range(0, len(data), size):
        yield boundary(at), boundary(min(at + size, len(data)))


def bad_offsets(data):
    """Where each ill-formed part of `data` begins, by Python's decoder on the whole."""
    found, at = [], 0
    while True:
        try:
            data[at:].decode()
        except UnicodeDecodeError as error:
            found.append(at + error.start)
            at += error.end
        else:
            return found


@settings(max_examples=400)
@given(given_.nasty_bytes, given_.sizes, given_.sizes)
def test_splits_add_up_to_the_whole(data, split, piece):
    # Given any bytes, split sizes and piece sizes; Expect the whole's counts, with "replace".
    tally = counting.new_tally()
    for start, stop in split_regions(data, split):
        tally.add(count(data[start:stop], piece, errors="replace"))
    expected = Counter(data.decode(errors="replace").split())
    assert dict(tally.items()) == expected
    assert tally.pack() == delta.pack(expected)


@settings(max_examples=200)
@given(given_.nasty_bytes, given_.sizes, given_.sizes)
def test_splits_into_letters_add_up_too(data, split, piece):
    tally = counting.new_tally()
    for start, stop in split_regions(data, split):
        tally.add(count(data[start:stop], piece, "letters", "replace"))
    assert tally.pack() == count(data, max(1, len(data)), "letters", "replace")


@settings(max_examples=400)
@given(given_.nasty_bytes, given_.sizes, given_.sizes)
def test_bad_bytes_fail_exactly_the_split_that_has_them(data, split, piece):
    # Given any bytes; Expect each split to name the first bad byte of its own region, in the
    # file's terms, and no split without one to fail: so one bad part fails exactly one split.
    bad = bad_offsets(data)
    for start, stop in split_regions(data, split):
        mine = [offset for offset in bad if start <= offset < stop]
        if mine:
            with pytest.raises(counting.BadEncoding) as caught:
                count(data[start:stop], piece)
            assert start + caught.value.offset == mine[0]
            assert caught.value.reason
        else:
            expected = Counter(data[start:stop].decode().split())
            assert delta.unpack(count(data[start:stop], piece)) == expected


def test_a_word_of_a_megabyte_in_tiny_splits():
    # Given long words in splits far smaller than they; Expect each in just one split.
    data = b"x" * 1_000_000 + b" y " + b"z" * 300_000
    total = Counter()
    for start, stop in split_regions(data, 10_007):
        total.update(delta.unpack(count(data[start:stop], 4096)))
    assert total == Counter(data.decode().split())


@pytest.mark.parametrize("tokenizer", ["whitespace", "letters"])
def test_nothing_to_count(tokenizer):
    assert counting.count([], tokenizer) == delta.pack({})
    assert counting.count([b"", b" \n"], tokenizer) == delta.pack({})


def test_unknown_names():
    with pytest.raises(ValueError, match="tokenizer 'x'"):
        counting.count([], "x")
    with pytest.raises(ValueError, match="errors 'ignore': one of strict, replace"):
        counting.count([], "whitespace", "ignore")


def test_an_error_of_the_pieces_comes_through():
    def broken():
        yield b"a "
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        counting.count(broken(), "whitespace")


def test_memory_is_bounded():
    # Given 64 MB of few distinct words; Expect a peak that has nothing to do with the 64 MB.
    piece = b"".join(b"%063d " % n for n in range(1024))  # long words: tracemalloc is slow
    tracemalloc.start()
    try:
        counting.count(repeat(piece, 1024), "whitespace")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


@given(st.lists(given_.counts, max_size=4))
def test_tally_is_a_counter(many):
    tally, expected = counting.new_tally(), Counter()
    for counts in many:
        tally.add(delta.pack(counts))
        expected.update(counts)
    assert dict(tally.items()) == expected
    assert (len(tally), tally.total) == (len(expected), expected.total())
    assert all(tally.get(word) == number for word, number in expected.items())
    assert tally.get("no such word") == 0
    assert tally.pack() == delta.pack(expected)
    for counts in many:
        tally.subtract(delta.pack(counts))
    assert (len(tally), tally.total, tally.pack()) == (0, 0, delta.pack({}))


@given(given_.counts, st.integers(0, 14))
def test_top_is_in_the_order_of_zrevrange(counts, k):
    # Expect counts descending, and equal ones by the words' bytes, descending.
    tally = counting.new_tally()
    tally.add(delta.pack(counts))
    ordered = sorted(counts.items(), key=lambda pair: (pair[1], pair[0].encode()), reverse=True)
    assert tally.top(k) == (ordered[:k] if k else ordered)
    first = tally.first(k)
    assert first.top(0) == tally.top(k)
    assert first.pack() == delta.pack(dict(tally.top(k)))
    assert first.total == sum(count for _, count in tally.top(k))


def test_top_orders_beyond_the_basic_plane_by_bytes():
    # UTF-16 would order these two the other way round.
    tally = counting.new_tally()
    tally.add(delta.pack({"\uffff": 1, "\U00010000": 1}))
    assert tally.top(0) == [("\U00010000", 1), ("\uffff", 1)]
    with pytest.raises(ValueError, match="top -1"):
        tally.top(-1)


@pytest.mark.parametrize("less", [{"a": 1, "b": 3}, {"a": 1, "c": 1}])
def test_what_would_be_negative_changes_nothing(less):
    tally = counting.new_tally()
    tally.add(delta.pack({"a": 1, "b": 2}))
    before = tally.pack()
    with pytest.raises(ValueError, match="cannot take"):
        tally.subtract(delta.pack(less))
    assert (tally.pack(), tally.total) == (before, 3)


def test_a_damaged_delta_changes_nothing():
    tally = counting.new_tally()
    tally.add(delta.pack({"a": 1}))
    for change in (tally.add, tally.subtract):
        with pytest.raises(counting.DeltaError):
            change(delta.pack({"a": 1})[:-1])
    assert dict(tally.items()) == {"a": 1}


@pytest.mark.parametrize("k", [1, 30_000, 40_000, 50_000, 60_000, 0])
def test_first_words_of_many(k):
    # Given many words, with counts in many classes; expect all in order
    tally = counting.new_tally()
    counts = {
        f"{number:x}": number % 97 + number // 40_000 * 60_000 + 1 for number in range(50_000)
    }
    tally.add(delta.pack(counts))
    ordered = sorted(counts.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
    expected = ordered[:k] if k else ordered
    assert tally.top(k) == expected
