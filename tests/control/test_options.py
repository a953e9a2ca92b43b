"""Options as typed in: the values they stand for, and messages that say what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from control import options
from provision.exit_codes import UsageError
from provision.inventory.model import Inventory, load

INVENTORY = """
[cluster]
name = "lab"
connection = "netns"
[job]
split_size = {split_size}
[[hosts]]
name = "h1"
address = "198.18.0.1"
"""


def inventory(folder: Path, split_size: str) -> Inventory:
    path = folder / "inventory.toml"
    path.write_text(INVENTORY.format(split_size=split_size))
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
    ],
)
def test_split_size(typed: str, value: int | str, tmp_path: Path) -> None:
    assert options.split_size(typed, inventory(tmp_path, '"auto"')) == value


@pytest.mark.parametrize(("written", "value"), [('"auto"', "auto"), ("123", 123)])
def test_split_size_left_out_is_the_inventorys(
    written: str, value: int | str, tmp_path: Path
) -> None:
    assert options.split_size(None, inventory(tmp_path, written)) == value


@pytest.mark.parametrize("typed", ["0", "0MB", "-1", "1.5MB", "8TB", "MB", "", "auto ", "8MB x"])
def test_split_size_refused(typed: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--split-size '.*': allowed are auto, or bytes"):
        options.split_size(typed, inventory(tmp_path, '"auto"'))


@pytest.mark.parametrize(("typed", "value"), [(None, 10), ("0", 0), ("25", 25)])
def test_count(typed: str | None, value: int) -> None:
    assert options.count("--limit", typed, 10) == value


@pytest.mark.parametrize("typed", ["-1", "1.5", "ten", "", "1e3", "+1", "²"])
def test_count_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--limit '.*': allowed is a whole number, 0 or more"):
        options.count("--limit", typed, 10)


@pytest.mark.parametrize(("typed", "value"), [("2", 2.0), ("0.5", 0.5), ("1e1", 10.0)])
def test_seconds(typed: str, value: float) -> None:
    assert options.seconds("--every", typed) == value


@pytest.mark.parametrize("typed", ["0", "-1", "inf", "nan", "soon", ""])
def test_seconds_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=r"--every '.*': allowed is a number of seconds above 0"):
        options.seconds("--every", typed)


def test_choice() -> None:
    assert options.choice("--tokenizer", None, "letters", options.TOKENIZERS) == "letters"
    assert options.choice("--tokenizer", "tweets-csv", "x", options.TOKENIZERS) == "tweets-csv"
    with pytest.raises(UsageError, match="'words': allowed are whitespace, letters, tweets-csv"):
        options.choice("--tokenizer", "words", "whitespace", options.TOKENIZERS)


def test_a_default_that_is_not_allowed_is_refused_as_well() -> None:
    """Given an inventory that names a tokenizer there is not. Expect it to be found out here."""
    with pytest.raises(UsageError, match="'unheard-of'"):
        options.choice("--tokenizer", None, "unheard-of", options.TOKENIZERS)
