"""Words do not depend on where pieces were cut, and are what each tokenizer's definition says."""

import csv
import io
import time
import unicodedata

import pytest
from hypothesis import example, given, settings

from tests.wc.support import csv_truth
from tests.wc.support import strategies as given_
from wc.text.tokenizers import TOKENIZERS, tokenizer
from wc.text.tweets_csv import BadRecord


def words(name, text, size):
    state = tokenizer(name).start()
    found = [w for at in range(0, len(text), size) for w in state.feed(text[at : at + size])]
    return found + state.finish()


def tweets(text, size):
    try:
        return words("tweets-csv", text, size)
    except BadRecord:
        return None


def letters_by_category(text):
    """Runs of general category L, lower-cased when whole: the definition, with another tool."""
    runs, run = [], ""
    for character in [*text, " "]:
        if unicodedata.category(character).startswith("L"):
            run += character
        elif run:
            runs.append(run.lower())
            run = ""
    return runs


def test_names():
    assert {name: found.splittable for name, found in TOKENIZERS.items()} == {
        "whitespace": True,
        "letters": True,
        "tweets-csv": False,
    }
    with pytest.raises(ValueError, match="tokenizer 'words': one of whitespace, letters, tweets"):
        tokenizer("words")


@given(given_.nasty_text, given_.piece_sizes)
def test_whitespace_is_str_split(text, size):
    assert words("whitespace", text, size) == text.split()


@given(given_.nasty_text, given_.piece_sizes)
@example("ΑΣ", 1)  # a final sigma, known to be final only after its piece
@example("İx", 1)  # lower-cased it holds a combining dot, which is no letter
def test_letters_are_runs_of_category_l(text, size):
    assert words("letters", text, size) == letters_by_category(text)


def test_letters_over_all_code_points():
    # Given every code point between two letters; Expect it to join them or to part them.
    text = " ".join(f"a{chr(c)}b" for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)
    assert words("letters", text, 65536) == letters_by_category(text)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_long_word_costs_its_length(name):
    # Given one word of 4 MB in 40,000 pieces; Expect it whole, in a time that is out of reach
    # for copying it anew with each piece (80 GB).
    state = tokenizer(name).start()
    start = time.process_time()  # what others do meanwhile is not counted
    found = state.feed("text\n" if name == "tweets-csv" else "")
    for _ in range(40_000):
        found += state.feed("x" * 100)
    found += state.finish()
    assert [len(word) for word in found] == [4_000_000]
    assert time.process_time() - start < 10


def test_a_quoted_field_with_many_quotes_costs_its_length():
    field = 'a""' * 300_000
    assert tweets(f'text\n"{field}"\n', 1000) == ['a"' * 300_000]


def test_tweets_come_as_they_are_read():
    # Given pieces that end within a record; Expect the words of all others at once
    state = tokenizer("tweets-csv").start()
    state.feed("text\n")
    assert [len(state.feed("b c\n" * 10 + '"b"')) for _ in range(5)] == [20] * 5


@settings(max_examples=150, deadline=None)
@given(csv_truth.rows, given_.piece_sizes)
def test_tweets_written_by_a_csv_writer(rows, size):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows([["id", "text", "n"], *rows])
    data = file.getvalue()
    assert tweets(data, size) == csv_truth.words(data.encode())


@settings(max_examples=400, deadline=None)
@given(csv_truth.headers, csv_truth.raw, given_.piece_sizes)
@example("id,text\n", '1," a"b""\n', 1)
@example("id,text,n\n", '"1,",a"b,""\n"x""\n""",y,\n,"a ""b""c" ",""\n1,\n1,2\n', 65536)
@example("text,id\n", ' "a,b"\n', 1)
@example("text,id\n", "\t", 1)
@example("text,id\n", " \t\n\n \r\n", 2)
@example("id,text,n\n", "1\n2,\n,x y", 3)
@example("id,text\n", '\r,,"', 1000)  # within quotes, and too long only if they were no quotes
@example("text\n", '"a""\n""\n"\n"', 3)
def test_tweets_of_raw_text(header, text, size):
    data = header + text
    assert tweets(data, size) == csv_truth.words(data.encode())


@pytest.mark.parametrize("size", [1, 65536])
def test_missing_texts_are_those_of_pandas(size):
    data = csv_truth.missing_or_not
    assert tweets(data, size) == csv_truth.words(data.encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "no header"),
        ("\n \n", "no header"),
        ("id,body\n1,x\n", "record 1, which begins on line 1: no column 'text' among"),
        ("id,text\r\n1,x\r\n", r"no column 'text' among \['id', 'text.r'\]; its lines end in CRLF"),
        ('id,text\n1,"a\nb"\n\n1,2,3\n', "record 3, which begins on line 5: 3 fields where .* 2"),
        ("id,text\n1,2,3\n", "record 2, which begins on line 2: 3 fields"),
        ('id,text\n1,"a\n', "record 2, which begins on line 2: the file ends within quotes"),
        ('id,text\n \n1,2,"\n', "record 2, which begins on line 3: the file ends within quotes"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_faulty_tweets_are_named(data, message, size):
    with pytest.raises(BadRecord, match=message):
        words("tweets-csv", data, size)


def test_numbers_stay_as_written():
    # Given a text column of numbers alone, where pandas would convert; Expect what was written.
    assert tweets("text\n1.50\n007\n", 4) == ["1.50", "007"]
