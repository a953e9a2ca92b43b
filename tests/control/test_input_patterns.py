"""Globs as typed, and as a specification has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from control.jobs.input_patterns import joined, shown
from provision.exit_codes import UsageError


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["/a/*.txt"], "/a/*.txt"),
        (["/a/{x,y}/*.{txt,md}"], "/a/x/*.txt\n/a/x/*.md\n/a/y/*.txt\n/a/y/*.md"),
        (["/a/{x,{y,z}}"], "/a/x\n/a/y\n/a/z"),
        (["/a/x{,s}.txt"], "/a/x.txt\n/a/xs.txt"),
        (["/a", "/b", "/a"], "/a\n/b"),
        (["/a/{x}/[{]y,z}"], "/a/{x}/[{]y,z}"),
        ([], ""),
    ],
)
def test_braces_and_several_globs(typed: list[str], expected: str) -> None:
    assert joined(typed) == expected


def test_a_relative_glob_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert joined(["*.txt", "{a,b}"]) == f"{tmp_path}/*.txt\n{tmp_path}/a\n{tmp_path}/b"
    (tmp_path / "{a,b}").touch()  # a file's own name may have braces in it
    assert shown(joined(["{a,b}"])) == f"{tmp_path}/{{a,b}}"


@pytest.mark.parametrize("typed", ["", "/a\n/b", "/a/{1..3}.txt"])
def test_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="--input"):
        joined([typed])
