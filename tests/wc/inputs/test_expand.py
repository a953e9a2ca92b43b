"""A job's files are found once each, and what would not be counted as it is there is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wc.inputs import expand
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


def names(folder: Path, pattern: str) -> list[str]:
    return [
        os.path.relpath(file.path, folder)
        for file in expand.expand(f"{folder}/{pattern}", "whitespace", none_ok=True)
    ]


def test_links_to_folders_count_nothing_twice(tmp_path: Path) -> None:
    # Given links to the folder itself, to the root, and to each other
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/b.txt"):
        (tmp_path / name).write_text("word")
    for name, target in {
        "self": ".", "other": ".", "sub/up": "..", "root": "/", "x": "y", "y": "x", "s": "sub",
    }.items():  # fmt: skip
        (tmp_path / name).symlink_to(target)
    # Expect each file once, and links where the pattern asks for them
    assert names(tmp_path, "**/*.txt") == ["a.txt", "sub/b.txt"]
    assert names(tmp_path, "self/**/*.txt") == ["self/a.txt", "self/sub/b.txt"]
    assert names(tmp_path, "s*/*.txt") == ["self/a.txt", "sub/b.txt"]
    assert names(tmp_path, "x/*.txt") == []


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("gone")
    with pytest.raises(InputError, match=r"1 of 1 inputs cannot be read:\n.*a.txt: No such file"):
        names(tmp_path, "*")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("text".encode("utf-16"), "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 "),
        ("text".encode("utf-32"), "is UTF-32, not UTF-8; convert it: iconv -f UTF-32 -t UTF-8 "),
        (b"PK\x03\x04 and so on", "is a zip archive: unpack it"),
    ],
)
def test_what_is_no_text_by_its_first_bytes_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "a\x1b.txt").write_bytes(content)
    with pytest.raises(InputError) as caught:
        names(tmp_path, "*")
    assert f"{tmp_path}/a\\x1b.txt {reason}" in str(caught.value)


def test_a_file_whose_size_is_not_its_content_is_refused() -> None:
    with pytest.raises(InputError, match="/proc/cpuinfo has 0 bytes by its size, but not if it is"):
        expand.expand("/proc/cpuinfo", "whitespace")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "MOST_FILES", 3)
    monkeypatch.setattr(expand, "PROGRESS_FILES", 1)
    seen: list[int] = []
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(InputError, match="more than 3 files"):
        expand.expand(f"{tmp_path}/*", "whitespace", progress=seen.append)
    assert seen[-1] == 4
