"""The reference agrees with the definitions, with pandas, and with what it is to check."""

import ast
import csv
import gzip
import io
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.wc.support import csv_truth
from tests.wc.support import strategies as given_
from wc.counts import delta, kernel
from wc.verify import serial_count

on_disk = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_it_shares_no_code_with_what_it_checks():
    tree = ast.parse(Path(serial_count.__file__).read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imported
    assert "wc" not in " ".join(ast.unparse(node) for node in imported)


def test_non_space_pattern_is_the_complement_of_str_split():
    text = "".join(map(chr, range(0x110000)))
    assert re.findall(r"\S+", text) == text.split()


@on_disk
@given(given_.nasty_bytes)
def test_whitespace(tmp_path, data):
    path = tmp_path / "input"
    path.write_bytes(data)
    counts = serial_count.count_file(str(path), errors="replace")
    assert counts == Counter(data.decode(errors="replace").split())


@on_disk
@given(given_.nasty_bytes)
def test_letters(tmp_path, data):
    path = tmp_path / "input"
    path.write_bytes(data)
    counts = serial_count.count_file(str(path), "letters", "replace")
    assert counts == delta.unpack(kernel.count([data], "letters", "replace"))


def test_long_line(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"a bc\x1c " * 200_000)
    assert serial_count.count_file(str(path)) == {"a": 200_000, "bc": 200_000}


def tweets(path, data):
    path.write_bytes(data)
    try:
        return serial_count.count_file(str(path), "tweets-csv")
    except ValueError:
        return None


@on_disk
@given(csv_truth.headers, csv_truth.raw)
def test_tweets_of_raw_text(tmp_path, header, text):
    data = (header + text).encode()
    expected = csv_truth.words(data)
    counts = tweets(tmp_path / "input", data)
    assert counts == (None if expected is None else Counter(expected))


@on_disk
@given(csv_truth.rows)
def test_tweets_written_by_a_csv_writer(tmp_path, rows):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([["id", "text", "n"], *rows])
    data = file.getvalue().encode()
    expected = csv_truth.words(data)
    counts = tweets(tmp_path / "input", data)
    assert counts == (None if expected is None else Counter(expected))


def test_missing_texts_are_those_of_pandas(tmp_path):
    data = csv_truth.missing_or_not.encode()
    assert tweets(tmp_path / "input", data) == Counter(csv_truth.words(data))


def test_bad_bytes_are_refused_and_the_file_is_named(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"a \xff")
    with pytest.raises(UnicodeDecodeError) as caught:
        serial_count.count_file(str(path))
    assert str(path) in " ".join(caught.value.__notes__)


def test_unknown_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="tokenizer 'x': one of"):
        serial_count.count_file(str(tmp_path), "x")


def test_files_together_with_progress(tmp_path):
    # Given a plain and a gzip file; Expect one sum, and progress that rises to their size on disk.
    plain, zipped = tmp_path / "plain", tmp_path / "zipped"
    plain.write_bytes(b"a b\n" * 2_000_000)
    zipped.write_bytes(gzip.compress(b"b c\n" * 10) + gzip.compress(b"d"))
    told = []
    counts = serial_count.count_files([str(plain), str(zipped)], progress=told.append)
    assert counts == {"a": 2_000_000, "b": 2_000_010, "c": 10, "d": 1}
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == plain.stat().st_size + zipped.stat().st_size
