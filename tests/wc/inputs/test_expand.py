"""Several globs, and names with brackets."""

from __future__ import annotations

from pathlib import Path

import pytest

from wc.inputs.expand import InputError, expand_all


def test_a_file_that_several_globs_match_is_there_once(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.md"):
        (tmp_path / name).write_text("x")
    files = expand_all([f"{tmp_path}/*.txt", f"{tmp_path}/[ac].*"], "whitespace")
    assert [Path(file.path).name for file in files] == ["a.txt", "b.txt", "c.md"]
    # A glob that matches nothing is a mistake, also beside others
    with pytest.raises(InputError, match=r"no file matches .*/\*\.rst"):
        expand_all([f"{tmp_path}/*.txt", f"{tmp_path}/*.rst"], "whitespace")


def test_brackets_in_a_name(tmp_path: Path) -> None:
    """Given a folder whose name looks like a set of characters. Expect to be told how to write it,
    and that it works so."""
    folder = tmp_path / "[2024] x"
    folder.mkdir()
    (folder / "a.txt").write_text("x")
    with pytest.raises(InputError) as refused:
        expand_all([f"{folder}/*.txt"], "whitespace")
    written = str(refused.value).rpartition("as in ")[2].strip("'")
    assert written == f"{tmp_path}/[[]2024] x/*.txt"
    assert len(expand_all([written], "whitespace")) == 1
