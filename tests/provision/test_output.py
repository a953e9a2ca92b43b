"""Lines for people, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from provision.output import folded, print_text

LINE = (
    "valid: books: 28,856 distinct words (789,634 in all), recounted serially, are the same on h1, "
    "h2, in the published-sorted-set"
)


def test_no_word_is_broken_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    terminal, other_end = pty.openpty()
    with os.fdopen(other_end, "w") as out:
        print_text(LINE, out)
        lines = os.read(terminal, 4096).decode().splitlines()
    os.close(terminal)
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert " ".join(lines) == LINE


def test_what_is_no_terminal_gets_the_line_as_it_is(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out:
        print_text(LINE, out)
    assert (tmp_path / "out").read_text() == LINE + "\n"


def test_a_path_is_never_broken_and_an_indent_stays() -> None:
    path = "/var/tmp/" + "x" * 40
    assert folded(f"  h1/1: {path}: not UTF-8", 30).splitlines() == [
        "  h1/1:",
        f"    {path}:",
        "    not UTF-8",
    ]
    assert folded("", 80) == ""
