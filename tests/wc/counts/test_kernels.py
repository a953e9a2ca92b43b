"""The compiled kernel is the plain one, but for its speed: the same deltas, the same errors."""

from __future__ import annotations

from collections import Counter
from operator import gt
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wc.support import csv_truth
from tests.wc.support import strategies as given_
from wc.counts import delta, python_kernel
from wc.counts.kernel import BadEncoding, BadRecord
from wc.text.word_limit import LONGEST_WORD, WordTooLong

ERRORS = st.sampled_from(["strict", "replace"])


def outcome(kernel: ModuleType, data: bytes, size: int, tokenizer: str, errors: str) -> object:
    try:
        return kernel.count(given_.cut(data, size), tokenizer, errors)
    except BadEncoding as error:
        return error.offset, error.reason
    except BadRecord as error:
        return str(error)


@settings(max_examples=600)
@given(given_.nasty_bytes, given_.sizes, ERRORS)
def test_any_bytes(compiled: ModuleType, data: bytes, size: int, errors: str) -> None:
    plain = outcome(python_kernel, data, max(1, len(data)), "whitespace", errors)
    assert outcome(compiled, data, size, "whitespace", errors) == plain


@settings(max_examples=600)
@given(given_.nasty_bytes, given_.sizes, ERRORS)
def test_letters_of_any_bytes(compiled: ModuleType, data: bytes, size: int, errors: str) -> None:
    plain = outcome(python_kernel, data, max(1, len(data)), "letters", errors)
    assert outcome(compiled, data, size, "letters", errors) == plain


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


def test_every_character_is_a_letter_or_not(compiled: ModuleType) -> None:
    # Given every code point between two letters, and before and after a sigma, whose lower case
    # depends on it
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    text = "".join(f"a{c}B {c}\u03a3 a\u03a3{c}," for c in points).encode()
    pieces = list(given_.cut(text, 65_537))
    assert compiled.count(pieces, "letters") == python_kernel.count(pieces, "letters")


def test_many_words_that_are_not_ascii(compiled: ModuleType) -> None:
    # Given so many of them that they are lower-cased in parts, some met again later, in one piece
    letters = [chr(c) for c in range(0x410, 0x450)] * 2 + [chr(c) for c in range(0x4E00, 0x5000)]
    words = [f"{one}\u00c9{other}" for one in letters for other in letters]
    data = [" ".join(words + words[:1000]).encode()]
    assert compiled.count(data, "letters") == python_kernel.count(data, "letters")


def test_long_runs_of_letters(compiled: ModuleType) -> None:
    words = ["X" * 3_000_000, "\u00c9" * 700_000, "x" * 100_000 + "\u0130", "y"]
    data = "7".join(words).encode()
    expected = delta.pack({word.lower(): 1 for word in words})
    for size in (1000, 65_536, len(data)):
        assert compiled.count(given_.cut(data, size), "letters") == expected


@st.composite
def csv_bytes(draw: st.DrawFn) -> bytes:
    """A header, good or bad, and what may follow; now and then with bytes that are not UTF-8."""
    data = bytearray((draw(csv_truth.headers) + draw(csv_truth.raw)).encode())
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(data)))
        data[place:place] = draw(st.sampled_from([b"\xff", b"\xe2\x80", b"\xc3"]))
    return bytes(data)


@settings(max_examples=200)
@given(csv_bytes(), given_.piece_sizes, ERRORS)
@example(b'id,text\n1,"a\nb\n"\n \n1,2,3\n', 3, "strict")  # lines within quotes are counted too
@example(b'\nid,text\n\t\n1,"\n","\n', 65_536, "strict")
@example(b"id,text\n1,2,3\n4,\xff\n", 65_536, "strict")  # bad text comes first in a piece,
@example(b"id,body\n4,\xff\n", 65_536, "strict")  # wherever in it
@example(b"id,text\n1,2,3\n4,\xff\n", 16, "strict")
@example(b'\n "a\nb",text\n1,"a\n"\n', 1, "strict")  # this header is of one field
@example(b'\n"a\nb",text\n1,"a\n"\n', 1, "strict")
def test_tweets_of_any_bytes(compiled: ModuleType, data: bytes, size: int, errors: str) -> None:
    # Given the same pieces: which of two errors is found first may depend on them
    plain = outcome(python_kernel, data, size, "tweets-csv", errors)
    assert outcome(compiled, data, size, "tweets-csv", errors) == plain


@settings(max_examples=200)
@given(st.lists(st.text(max_size=20), max_size=50), st.integers(1, 2**40))
def test_words_of_a_list(compiled: ModuleType, words: list[str], times: int) -> None:
    # Given words as a tokenizer may find them: empty ones, long ones, with blanks and newlines
    words = [word for word in words if word.isprintable()] + ["", "a b\n", "x" * 16, "\0"]
    table = compiled._table()
    table.count(words)
    table.count(words, times)
    expected = {word: (times + 1) * number for word, number in Counter(words).items()}
    assert table.pack() == delta.pack(expected)
    assert table.total == (times + 1) * len(words)


def test_a_table_refuses_what_it_cannot_use(compiled: ModuleType) -> None:
    table = compiled._table()
    with pytest.raises(TypeError, match="Table"):
        table.feed(b"a b ", "no table")
    with pytest.raises(RuntimeError, match="in use"):
        table.feed(b"a b ", table)
    with pytest.raises(TypeError):
        table.count("words")
    with pytest.raises(TypeError):
        table.count([b"bytes"])
    with pytest.raises(UnicodeEncodeError):
        table.count(["\ud800"])
    # Expect it unchanged, and in no use
    assert (len(table), table.total) == (0, 0)


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


def some_of(packed: bytes, part: int, step: int) -> bytes:
    """Every ``step``-th word of a delta from the ``part``-th on, with other counts."""
    words = sorted(delta.unpack(packed))[part::step]
    return delta.pack({word: len(word) + part for word in words})


def test_deltas_at_once_come_to_what_they_come_to_one_by_one(compiled: ModuleType) -> None:
    # Given large deltas that have many words in common, and small ones, short words and long ones
    text = " ".join(f"{n:x}{'-and-what-makes-it-long' * (n % 3 == 0)}" for n in range(300_000))
    whole = compiled.count([text.encode()], "whitespace")
    deltas = [some_of(whole, part, step) for step in (2, 3, 1000) for part in range(min(step, 5))]
    deltas += [delta.pack({}), delta.pack({"": 1, "a": 2})]
    # If they are added together, and one after the other
    together, single, plain = compiled.Tally(), compiled.Tally(), python_kernel.Tally()
    together.add(deltas[0])
    together.add(*deltas[1:])
    for one in deltas:
        single.add(one)
    plain.add(*deltas)
    # Expect the same
    assert together.pack() == single.pack() == plain.pack()
    assert together.total == single.total == plain.total
    assert together.get("0-and-what-makes-it-long") == plain.get("0-and-what-makes-it-long") > 0


def test_of_deltas_one_of_which_is_damaged_none_is_added(compiled: ModuleType) -> None:
    fine = delta.pack({"a": 1})
    for tally in (python_kernel.Tally(), compiled.Tally()):
        tally.add()
        with pytest.raises(delta.DeltaError, match="checksum"):
            tally.add(fine, fine[:-1] + b"b", fine)
        assert (len(tally), tally.total) == (0, 0)
        tally.add(fine, fine)
        assert tally.get("a") == 2
    with pytest.raises(TypeError):
        compiled.Tally().add(fine, "text")


def disorder(tally: Any) -> float:
    """How many of a tally's words have a lower hash than the word in the slot before, of 1."""
    places = [delta.place(word.encode()) for word, _ in tally.items()]
    return sum(map(gt, places, places[1:])) / len(places)


@pytest.mark.parametrize("end", ["", "-and-what-makes-it-long"])
def test_words_crafted_for_one_place_do_no_harm(compiled: ModuleType, end: str) -> None:
    # Given the first of the 32 parts of many words, in many deltas, and as a text
    text = " ".join(f"{n}{end}" for n in range(100_000)).encode()
    packed = compiled.count([text], "whitespace")
    order = list(delta.unpack(packed))
    crafted = order[: len(order) // 32]
    deltas = [delta.pack(dict.fromkeys(crafted[part::2], 1)) for part in (0, 1, 0)]
    for batch in (deltas, deltas[:1] * 40 + deltas[1:2]):
        # If a tally has them alone, or beside all words
        for before in ([], [packed]):
            tally, plain = compiled.Tally(), python_kernel.Tally()
            for one in (tally, plain):
                one.add(*before)
                one.add(*batch)
            # Expect exact counts, and no more memory than for as many other words
            assert tally.pack() == plain.pack()
            assert tally._table.memory < (100 + len(end)) * len(tally) + 2**20
            # Expect that words are in order only where they are not crafted
            assert (disorder(tally) > 0.3) == (not before)
    # If they are counted, and the table that counted them is used again
    for _ in range(2):
        counted = compiled.count([" ".join(crafted * 2).encode()], "whitespace")
        assert counted == delta.pack(dict.fromkeys(crafted, 2))
    tally.subtract(deltas[0])
    plain.subtract(deltas[0])
    assert tally.top(0) == plain.top(0)


def test_numbered_words_stay_in_order(compiled: ModuleType) -> None:
    # Given words that differ in a few digits, as many texts have them
    tally = compiled.Tally()
    for pattern in ("{}", "{:08x}", "user{:06}", "2026-11-{:05}", "{:05}-and-what-makes-it-long"):
        tally.add(delta.pack(dict.fromkeys(map(pattern.format, range(50_000)), 1)))
    # Expect that chance does not make them look crafted
    assert disorder(tally) < 0.3


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
    table = compiled._table()
    for start in range(0, 1_000_000, 10_000):
        table.feed(" ".join(f"w{n}" for n in range(start, start + 10_000)).encode() + b" ")
    table.finish()
    # Expect at most 64 bytes for each, and the piece
    assert len(table) == 1_000_000
    assert table.memory <= 64 * len(table) + (1 << 17)


def test_long_words_that_begin_alike_are_in_order(compiled: ModuleType) -> None:
    # Given more words than are compared at once, many of which begin alike, and go on like others
    words = ["ab" * n for n in range(8, 900)] + ["ba" * n for n in range(8, 900)]
    words += [f"{'ab' * 20}{n:04}" for n in range(2000)]
    expected = delta.pack(dict.fromkeys(words, 1))
    # Expect the order that the plain kernel gives
    assert compiled.count([" ".join(reversed(words)).encode()], "whitespace") == expected


def test_long_words_and_pieces(compiled: ModuleType) -> None:
    words = [b"x" * 3_000_000, "\u00e9".encode() * 700_000, b"y"]
    data = b" ".join(words)
    expected = delta.pack({word.decode(): 1 for word in words})
    for size in (1000, 65_536, len(data)):
        assert compiled.count(given_.cut(data, size), "whitespace") == expected


@pytest.mark.parametrize("tokenizer", ["whitespace", "letters"])
@pytest.mark.parametrize("character", ["x", "é"])
def test_the_longest_word(compiled: ModuleType, tokenizer: str, character: str) -> None:
    # Given words as long as words may be, in pieces; expect them counted, and longer ones refused
    word = character.encode() * (LONGEST_WORD // len(character.encode()))
    expected = {"a": 1, word.decode(): 2, "b": 1}
    for kernel in (compiled, python_kernel):
        pieces = given_.cut(b"a " + word + b" " + word + b" b", 65_536)
        assert delta.unpack(kernel.count(pieces, tokenizer)) == expected
        for text in (word + character.encode(), word + character.encode() + b" b"):
            with pytest.raises(WordTooLong):
                kernel.count(given_.cut(b"a " + text, 65_536), tokenizer)
