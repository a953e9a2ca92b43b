"""Small files that share a split are counted as each by itself would be, and errors name theirs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wc.support import strategies as given_
from wc.counts import delta, kernel
from wc.inputs.shared_split_reader import SharedSplitReader
from wc.inputs.split_reader import PIECE_BYTES, InputChanged
from wc.jobs.splits import SharedFile, SharedSplit


def shared(folder: Path, contents: list[bytes]) -> SharedSplit:
    files = []
    for number, content in enumerate(contents):
        path = folder / f"{number}.txt"
        path.write_bytes(content)
        now = path.stat()
        files.append(SharedFile(str(path), now.st_size, now.st_mtime_ns))
    return SharedSplit(tuple(files))


@pytest.mark.parametrize("tokenizer", ["whitespace", "letters"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents=st.lists(given_.nasty_bytes, min_size=2, max_size=5))
def test_files_together_are_the_sum_of_each(
    tmp_path: Path, tokenizer: str, contents: list[bytes]
) -> None:
    # Given any files, also such as end within a word or a character
    expected: Counter[str] = Counter()
    for content in contents:
        expected.update(delta.unpack(kernel.count([content], tokenizer, "replace")))
    found = kernel.count(SharedSplitReader(shared(tmp_path, contents)), tokenizer, "replace")
    assert delta.unpack(found) == expected


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents=st.lists(given_.nasty_bytes, min_size=2, max_size=5))
def test_a_byte_that_is_not_text_is_named_by_its_file(
    tmp_path: Path, contents: list[bytes]
) -> None:
    pieces = SharedSplitReader(shared(tmp_path, contents))
    bad = []
    for number, content in enumerate(contents):
        try:
            content.decode()
        except UnicodeDecodeError as error:
            bad.append((str(tmp_path / f"{number}.txt"), error.start))
    if not bad:
        kernel.count(pieces, "whitespace")
        return
    with pytest.raises(kernel.BadEncoding) as caught:
        kernel.count(pieces, "whitespace")
    assert pieces.place(caught.value.offset) == bad[0]


def test_pieces_are_of_moderate_size_and_no_file_stays_open(tmp_path: Path) -> None:
    contents = [b"x" * size for size in (0, 1000, 200_000, *[3000] * 60, 0)]
    pieces = SharedSplitReader(shared(tmp_path, contents))
    read = [next(pieces)]
    assert not [
        fd for fd in Path("/proc/self/fd").iterdir() if str(tmp_path) in os.path.realpath(fd)
    ]
    read += pieces
    assert b"".join(read) == b"".join(content + b"\n" for content in contents)
    assert len(read[0]) == 201_003
    assert all(PIECE_BYTES <= len(piece) < PIECE_BYTES + 3001 for piece in read[1:-1])


CHANGES: dict[str, tuple[Callable[[Path], object], type[OSError]]] = {
    "gone": (lambda path: path.unlink(), FileNotFoundError),
    "longer": (lambda path: path.write_bytes(b"more than it was"), InputChanged),
    "as long, later": (lambda path: os.utime(path, ns=(1, 1)), InputChanged),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), InputChanged),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_is_named(tmp_path: Path, change: str) -> None:
    # Given three files that share a split, of which the second changes
    some = shared(tmp_path, [b"one ", b"two ", b"three "])
    alter, error = CHANGES[change]
    alter(tmp_path / "1.txt")
    # Expect the split to fail, and the error to be about that one
    pieces = SharedSplitReader(some)
    with pytest.raises(error, match=r"1\.txt"):
        list(pieces)
    assert pieces.path == str(tmp_path / "1.txt")
