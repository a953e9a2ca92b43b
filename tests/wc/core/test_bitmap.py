"""Bitmaps are sets of numbers, in Redis' order of bits."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from wc.core import bitmap

numbers = st.sets(st.integers(0, 70))


def of(seqs: set[int]) -> bytearray:
    bits = bytearray()
    for seq in seqs:
        bitmap.add(bits, seq)
    return bits


def test_the_order_of_bits_is_that_of_redis() -> None:
    assert of({0, 9}) == b"\x80\x40"


@given(numbers)
def test_one_bitmap(a: set[int]) -> None:
    bits = of(a)
    assert list(bitmap.members(bits)) == sorted(a)
    assert bitmap.count(bits) == len(a)
    assert {seq for seq in range(90) if bitmap.contains(bits, seq)} == a
    assert bitmap.prefix(bits) == next(n for n in range(80) if n + 1 not in a)
    bitmap.add(bits, 99)  # nothing above still looks at it
    assert list(bitmap.members(bits)) == sorted(a | {99})


@given(st.lists(numbers, max_size=4), numbers)
def test_several_bitmaps(sets: list[set[int]], a: set[int]) -> None:
    every = [of(one) for one in sets]
    lengths = [len(bits) for bits in every]
    both = bitmap.union(every), bitmap.intersection(every)
    assert set(bitmap.members(both[0])) == set().union(*sets)
    assert set(bitmap.members(both[1])) == (reduce(set.intersection, sets) if sets else set())
    assert [len(bits) for bits in both] == [max(lengths, default=0), min(lengths, default=0)]
    for bits, one in zip(every, sets, strict=True):
        rest = bitmap.difference(bits, of(a))
        assert set(bitmap.members(rest)) == one - a
        assert len(rest) == len(bits)


@given(numbers, st.integers(0, 80))
def test_up_to_a_number(a: set[int], last: int) -> None:
    assert bitmap.up_to(of(a), last) == of({seq for seq in a if seq <= last})
    assert bitmap.first(last) == of(set(range(1, last + 1)))
