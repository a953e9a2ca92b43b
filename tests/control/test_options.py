"""Options as typed in: the values they stand for, and messages that say what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from control import options
from control.commands.jobs import job_request
from provision.exit_codes import UsageError
from provision.inventory.model import Inventory, load

INVENTORY = """
[cluster]
name = "lab"
connection = "netns"
[job]
{job}
[[hosts]]
name = "h1"
address = "198.18.0.1"
"""
NOTHING: dict[str, Any] = {
    "inputs": ["/x/*.txt"],
    "name": None,
    "tokenizer": None,
    "encoding_errors": None,
    "split_size": None,
    "local": False,
    "no_speculation": False,
    "write_quorum": None,
    "workers": None,
    "publish": None,
    "update": False,
}


def inventory(folder: Path, job: str) -> Inventory:
    path = folder / "inventory.toml"
    path.write_text(INVENTORY.format(job=job))
    return load(path)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("auto", "auto"),
        ("65536", 65536),
        ("1b", 1),
        ("500kb", 500_000),
        ("8MB", 8_000_000),
        ("8 MiB", 8 << 20),
        ("64KiB", 64 << 10),
        ("1GB", 10**9),
        ("1GiB", 1 << 30),
    ],
)
def test_split_size(typed: str, value: int | str) -> None:
    assert options.SPLIT_SIZE.option("--split-size", typed) == value


@pytest.mark.parametrize("typed", ["0", "0MB", "-1", "1.5MB", "8TB", "MB", "", "auto ", "8MB x"])
def test_split_size_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--split-size '.*': allowed is auto, or a number"):
        options.SPLIT_SIZE.option("--split-size", typed)


@pytest.mark.parametrize(("typed", "value"), [("0", 0), ("25", 25)])
def test_rows(typed: str, value: int) -> None:
    assert options.ROWS.option("--limit", typed) == value


@pytest.mark.parametrize("typed", ["-1", "1.5", "ten", "", "1e3", "+1", "²"])
def test_rows_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--limit '.*': allowed is a whole number, 0 or more"):
        options.ROWS.option("--limit", typed)


@pytest.mark.parametrize(
    ("typed", "value"),
    [("2", 2.0), ("0.5", 0.5), ("1e1", 10.0), ("2s", 2.0), ("500ms", 0.5), ("1.5m", 90.0)],
)
def test_every(typed: str, value: float) -> None:
    assert options.EVERY.option("--every", typed) == value


@pytest.mark.parametrize("typed", ["0", "-1", "inf", "nan", "soon", "", "1w", "1 h 2 m"])
def test_every_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--every '.*': allowed is a duration from 10ms to 24h"):
        options.EVERY.option("--every", typed)


def test_words() -> None:
    assert options.TOKENIZER.option("--tokenizer", "tweets-csv") == "tweets-csv"
    assert options.PUBLISH.option("--publish", "all") == 0
    assert options.PUBLISH.option("--publish", "auto") == options.FIRST_WORDS
    with pytest.raises(UsageError, match="'words': allowed is one of whitespace, letters, tweets"):
        options.TOKENIZER.option("--tokenizer", "words")
    with pytest.raises(
        UsageError, match="'0': allowed is auto, or all, or a whole number, 1 or more"
    ):
        options.PUBLISH.option("--publish", "0")


@pytest.mark.parametrize(("written", "value"), [('"auto"', "auto"), ("123", 123)])
def test_split_size_left_out_is_the_inventorys(
    written: str, value: int | str, tmp_path: Path
) -> None:
    request = job_request(inventory(tmp_path, f"split_size = {written}"), **NOTHING)
    assert request.split_size == value


def test_a_default_that_is_not_allowed_is_refused_as_well(tmp_path: Path) -> None:
    """Given an inventory that names a tokenizer there is not. Expect it to be found out here."""
    with pytest.raises(UsageError, match="--tokenizer 'unheard-of'"):
        job_request(inventory(tmp_path, 'tokenizer = "unheard-of"'), **NOTHING)


@pytest.mark.parametrize("typed", ["0", "2", "all", "1.0"])
def test_a_quorum_is_a_number_of_replicas(typed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--write-quorum '.*': allowed is a whole number from 1 "):
        job_request(inventory(tmp_path, ""), **NOTHING | {"write_quorum": typed})
