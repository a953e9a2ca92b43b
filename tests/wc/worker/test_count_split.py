"""What cannot be counted becomes a final error that names the file and the place."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from wc.backends.api import Claim
from wc.inputs.expand import expand
from wc.jobs.manifest import Manifest
from wc.jobs.spec import JobSpec
from wc.text import tweets_csv
from wc.text.word_limit import LONGEST_WORD
from wc.worker import count_split
from wc.worker.count_split import Failure

MIB = 1 << 20


def count(path: Path, tokenizer: str = "whitespace", errors: str = "strict") -> list[object]:
    """What comes of each split of a file."""
    manifest = Manifest(4 * MIB, expand(str(path), tokenizer))
    spec = JobSpec("job", "", tokenizer, errors, 4 * MIB, 1, ("h1",), True, 0.0)
    return [
        count_split.count_split(spec, Claim("h1", "h1", "", seq, split, 1), "worker", iter)
        for seq, split in manifest.splits(1, manifest.total)
    ]


@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_a_word_that_is_too_long_fails_the_split_it_begins_in(tmp_path: Path, errors: str) -> None:
    # Given a file with words before and behind a hole of 20 MiB, over several splits
    path = tmp_path / "words"
    path.write_bytes(b"word " * MIB)
    os.truncate(path, 25 * MIB)
    with path.open("ab") as file:
        file.write(b" and more " * 10)
    deltas = count(path, errors=errors)
    # Expect one error, which names a byte of the word, and all else counted
    failures = [found for found in deltas if isinstance(found, Failure)]
    assert [found.final for found in failures] == [True]
    text = failures[0].error["error"]
    assert text.startswith(f"{path}: a word of more than 4 MiB at byte ")
    at = int(text.split(" at byte ")[1].split(";")[0])
    assert 5 * MIB <= at < 25 * MIB
    assert isinstance(deltas[-1], bytes)
    assert len(deltas[-1]) > 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0" * (2 * tweets_csv.LONGEST_RECORD), "which begins on line 1: longer than"),
        (b"text\na\n" + b"x" * (LONGEST_WORD + 1), "record 3: a word of more than 4 MiB"),
    ],
)
def test_a_record_that_is_too_long(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "tweets"
    path.write_bytes(content)
    [failure] = count(path, "tweets-csv")
    assert isinstance(failure, Failure)
    assert failure.final
    assert reason in failure.error["error"]


def test_more_counts_than_redis_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words"
    path.write_text(" ".join(map(str, random.Random(1).sample(range(10**6), 1000))))
    monkeypatch.setattr(count_split, "LARGEST_DELTA", 1000)
    [failure] = count(path)
    assert isinstance(failure, Failure)
    assert failure.final
    assert f"{path} bytes 0 to " in failure.error["error"]
    assert "smaller --split-size" in failure.error["error"]
