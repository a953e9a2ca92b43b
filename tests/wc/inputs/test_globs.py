"""A path matches a glob exactly where expanding the glob finds it, and so does the walk."""

import glob
from pathlib import Path

import pytest

from wc.inputs.globs import matcher
from wc.inputs.walk import Walk

NAMES = ["a.txt", "b.txt", "ab.txt", ".hidden.txt", "x[1].txt", "b-1.csv", "b]c.txt", "aa.txt"]
FOLDERS = ["", "one", "one/two", "one/.secret", "three"]


@pytest.mark.parametrize(
    "pattern",
    ["*.txt", "?.txt", "[ab].txt", "[!a].txt", "[a-b]*", "**/*.txt", "**", "**/two/**", "one/*/*",
     "*/a.txt", "one/**/a.txt", "x[[]1].txt", "x[1].txt", "b[]]c.txt", ".*", "**/.*", "*.t?t"],
)  # fmt: skip
def test_a_path_matches_where_the_glob_finds_it(tmp_path: Path, pattern: str) -> None:
    # Given folders and files of all kinds
    files = [tmp_path / folder / name for folder in FOLDERS for name in NAMES]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    # If a pattern is expanded, and if it is matched
    found = {p for p in glob.glob(f"{tmp_path}/{pattern}", recursive=True) if Path(p).is_file()}
    matches = matcher(f"{tmp_path}/{pattern}")
    matched = {str(file) for file in files if matches(str(file))}
    # Expect the same files, and any file by its own name
    assert {path for path in Walk(f"{tmp_path}/{pattern}") if Path(path).is_file()} == found
    literal = {str(tmp_path / pattern)} & {str(file) for file in files}
    assert matched == found | literal
