"""The compiled kernel is the plain one, but for its speed: the same deltas, the same errors."""

from __future__ import annotations

import os
from collections import Counter
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wc import strategies as given_
from wc import counting, delta, python_kernel


@pytest.fixture(scope="module")
def compiled() -> ModuleType:
    """The compiled kernel; CI must have it."""
    try:
        from wc import c_kernel  # noqa: PLC0415 - it may not be built
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error}: build it with `python -m provision.extension`")
    return c_kernel


def outcome(kernel: ModuleType, data: bytes, size: int, tokenizer: str, errors: str) -> object:
    try:
        return kernel.count(given_.cut(data, size), tokenizer, errors)
    except counting.BadEncoding as error:
        return error.offset, error.reason


@settings(max_examples=600)
@given(given_.nasty_bytes, given_.sizes, st.sampled_from(["strict", "replace"]))
def test_any_bytes(compiled: ModuleType, data: bytes, size: int, errors: str) -> None:
    plain = outcome(python_kernel, data, max(1, len(data)), "whitespace", errors)
    assert outcome(compiled, data, size, "whitespace", errors) == plain


@settings(max_examples=300)
@given(st.text(max_size=300), given_.sizes, st.sampled_from(["whitespace", "letters"]))
def test_any_text(compiled: ModuleType, text: str, size: int, tokenizer: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    plain = outcome(python_kernel, data, max(1, len(data)), tokenizer, "strict")
    assert outcome(compiled, data, size, tokenizer, "strict") == plain


def test_every_character_separates_words_or_does_not(compiled: ModuleType) -> None:
    # Given every code point between two words, in pieces that cut characters
    text = "".join(f"a{chr(c)}b " for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    pieces = list(given_.cut(text.encode(), 4093))
    assert delta.unpack(compiled.count(pieces, "whitespace")) == Counter(text.split())


@settings(max_examples=600)
@given(given_.counts, st.data())
def test_damaged_deltas_are_refused_alike(
    compiled: ModuleType, counts: dict[str, int], data: st.DataObject
) -> None:
    # Given a delta with some bytes changed, its checksum put right, perhaps cut short or longer
    packed = bytearray(delta.pack(counts))
    places = st.integers(0, len(packed) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=3)):
        packed[place] = value
    packed = (
        packed[: data.draw(st.integers(0, len(packed)))] if data.draw(st.booleans()) else packed
    )
    packed += data.draw(st.binary(max_size=2))
    if len(packed) >= delta.HEADER_BYTES and data.draw(st.booleans()):
        packed[4:20] = delta._digest(bytes(packed[20:]))
    damaged = bytes(packed)
    # Expect both kernels to take it, or neither
    try:
        expected = delta.unpack(damaged)
    except delta.DeltaError:
        with pytest.raises(delta.DeltaError):
            compiled.Tally().add(damaged)
        return
    tally = compiled.Tally()
    tally.add(damaged)
    assert dict(tally.items()) == expected
    assert tally.pack() == damaged


def test_counts_beyond_32_bits(compiled: ModuleType) -> None:
    tally = compiled.Tally()
    tally.add(delta.pack({"many": 2**40, "few": 1}))
    tally.add(delta.pack({"many": 2**40}))
    assert tally.get("many") == 2**41
    assert tally.top(1) == [("many", 2**41)]
    assert delta.unpack(tally.pack()) == {"few": 1, "many": 2**41}
    tally.add(delta.pack({"most": 2**64 - 1 - 2**41 - 1}))
    with pytest.raises(OverflowError, match="64 bits"):
        tally.add(delta.pack({"few": 1}))


def test_memory_follows_distinct_words(compiled: ModuleType) -> None:
    # Given a million distinct words of up to 12 bytes
    table = compiled._kernel.Table(seed=1)
    for start in range(0, 1_000_000, 10_000):
        table.feed(" ".join(f"w{n}" for n in range(start, start + 10_000)).encode() + b" ")
    table.finish()
    # Expect at most 64 bytes for each, and the piece
    assert len(table) == 1_000_000
    assert table.memory <= 64 * len(table) + (1 << 17)


def test_long_words_that_begin_alike_are_in_order(compiled: ModuleType) -> None:
    # Given more words than are compared at once, many of which begin alike, and go on as others begin
    words = ["ab" * n for n in range(8, 900)] + ["ba" * n for n in range(8, 900)]
    words += [f"{'ab' * 20}{n:04}" for n in range(2000)]
    expected = delta.pack({word: 1 for word in words})
    # Expect the order that the plain kernel gives
    assert compiled.count([" ".join(reversed(words)).encode()], "whitespace") == expected


def test_long_words_and_pieces(compiled: ModuleType) -> None:
    words = [b"x" * 3_000_000, "\u00e9".encode() * 700_000, b"y"]
    data = b" ".join(words)
    expected = delta.pack({word.decode(): 1 for word in words})
    for size in (1000, 65_536, len(data)):
        assert compiled.count(given_.cut(data, size), "whitespace") == expected
