"""A manifest: every byte of every file is in one split, and no number ever means another."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wc.jobs import manifest
from wc.jobs.manifest import Entry, InputFile, Manifest, ManifestError, files_of
from wc.jobs.small_files import SHARED_BYTES, group_small_files
from wc.jobs.splits import FileSplit, SharedFile, SharedSplit, split_from_json

#: What of a file matters here: its size, and whether it is read whole.
SHAPES = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=25)
SPLIT_BYTES, MOST = st.integers(1, 50), st.integers(1, 6)


def input_files(shapes: list[tuple[int, bool]], numbers: count[int]) -> list[InputFile]:
    return [InputFile(f"/x/{next(numbers)}", s, 7, "none", whole) for s, whole in shapes]


def covered(files: Manifest, seqs: range | list[int]) -> Counter[tuple[str, int]]:
    """How often each byte of each file is in one of the splits; byte -1: the file itself."""
    found: Counter[tuple[str, int]] = Counter()
    for seq in seqs:
        split = files.split(seq)
        if isinstance(split, FileSplit):
            found.update(
                (split.path, at) for at in range(split.offset, split.offset + split.length)
            )
            found[split.path, -1] += split.offset == 0
        else:
            found.update((p.path, at) for p in split.files for at in range(-1, p.size))
    return found


def bytes_of(files: list[InputFile]) -> Counter[tuple[str, int]]:
    return Counter((f.path, at) for f in files for at in range(-1, f.size))


@given(SHAPES, SPLIT_BYTES, MOST)
def test_every_byte_is_in_one_split(
    shapes: list[tuple[int, bool]], split_bytes: int, most: int
) -> None:
    files = input_files(shapes, count())
    made = Manifest(split_bytes, group_small_files(files, most, split_bytes))
    # Expect dense numbers, every byte once, and the same splits however they are asked for
    assert covered(made, range(1, made.total + 1)) == bytes_of(files)
    assert list(made.splits(1, made.total)) == [
        (s, made.split(s)) for s in range(1, made.total + 1)
    ]
    assert made.total_bytes == sum(f.size for f in files)
    assert sum(made.split(seq).length for seq in range(1, made.total + 1)) == made.total_bytes
    # Expect small files alone to share, not too many, and not too much
    for seq in range(1, made.total + 1):
        split = made.split(seq)
        assert split_from_json(split.to_json()) == split
        if isinstance(split, SharedSplit):
            assert 2 <= split.file_count <= most
            assert split.length <= split_bytes
            assert not any(f.whole for f in files if f.path in {p.path for p in split.files})
    for outside in (0, made.total + 1):
        with pytest.raises(IndexError):
            made.split(outside)


@given(SHAPES, SPLIT_BYTES, MOST, st.lists(st.tuples(st.randoms(), SHAPES), max_size=4))
def test_revisions_move_no_split(
    shapes: list[tuple[int, bool]], split_bytes: int, most: int, changes: list
) -> None:
    # Given a manifest, and revisions that retract any files and add others
    numbers = count()
    wanted = input_files(shapes, numbers)
    now = Manifest(split_bytes, group_small_files(wanted, most, split_bytes))
    for revision, (random, more) in enumerate(changes, start=1):
        before = now
        gone = {f.path for f in wanted if random.random() < 0.3}
        added = input_files(more, numbers)
        recounted = {f.path for f in before.recounted(gone)}
        now = before.revise(revision, gone, group_small_files(added, most, split_bytes))
        wanted = [f for f in wanted if f.path not in gone] + added
        # Expect the splits that were there as they were, and what was retracted to stay so
        assert [*before.splits(1, before.total)] == [*now.splits(1, before.total)]
        assert set(before.retracted()) <= set(now.retracted())
        assert all(seq <= before.total for seq in now.retracted())
        # Expect what counts to be counted once
        live = sorted(set(range(1, now.total + 1)) - set(now.retracted()))
        assert covered(now, live) == bytes_of(wanted)
        assert sorted(now.live) == sorted(wanted)
        assert now.total_bytes == sum(f.size for f in wanted)
        # Expect nothing retracted but what is gone or shares a split with it
        newly = set(now.retracted()) - set(before.retracted())
        assert {path for path, _ in covered(now, sorted(newly))} == gone | recounted
        # Expect it to survive being written
        again = manifest.unpack(manifest.pack(now))
        assert (again.entries, again.revision, again.retracted()) == (
            now.entries,
            revision,
            now.retracted(),
        )


def test_small_files_share_and_others_do_not_part_them() -> None:
    small = [InputFile(f"/s{n}", 10, 1, "none", False) for n in range(5)]
    zipped = InputFile("/z", 10, 1, "gzip", True)
    large = InputFile("/l", SHARED_BYTES + 1, 1, "none", False)
    files = [small[0], zipped, small[1], large, *small[2:]]
    expected: list[Entry] = [zipped, large, tuple(small[:2]), tuple(small[2:4]), small[4]]
    assert group_small_files(files, 2, 1 << 20) == expected
    assert group_small_files(files, 1, 1 << 20) == files
    assert group_small_files(files, 64, 9) == files


SMALL = tuple(InputFile(f"/s/{n}\udc80\n", 3, n, "none", False) for n in range(3))
FILES = Manifest(100, [InputFile("/a", 250, 7, "none", False), SMALL], 4)
OLD = (
    b'{"version": 1, "split_bytes": 100, "revision": 2}\n["/a", 250, 7, "none", false, true]\n'
    b'["/b.gz", 250, 7, "gzip", true]\n["/\\udc80", 0, 7, "none", false]\n{"sealed": 5}\n'
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest.write(path, FILES)
    assert manifest.read(path).entries == FILES.entries
    assert manifest.revision(path) == 4
    assert path.read_text().count("\n") == 4


def test_manifests_of_the_first_version_are_read_and_written(tmp_path: Path) -> None:
    # Given a manifest from before files shared splits
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(OLD)
    found = manifest.read(path)
    assert (found.total, found.retracted(), found.revision) == (5, [1, 2, 3], 2)
    assert [f.path for f in found.live] == ["/b.gz", "/\udc80"]
    # Expect one that needs no more to be written as it was, for hosts that know no other
    manifest.write(path, found)
    assert path.read_bytes() == OLD
    # And splits that were enqueued then to be read
    assert split_from_json('["/a", 100, 100, 250, 7, "none"]') == FileSplit(
        "/a", 100, 100, 250, 7, "none"
    )


def test_a_damaged_manifest_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest.write(path, FILES)
    whole = path.read_bytes()
    for at in range(len(whole) - 1):
        path.write_bytes(whole[:at])
        with pytest.raises(ManifestError, match="damaged"):
            manifest.read(path)
    path.write_bytes(whole.replace(b'"version": 2', b'"version": 3'))
    with pytest.raises(
        ManifestError, match="jsonl: version 3, this reads 1 and 2; run `fab provision`"
    ):
        manifest.read(path)
    path.write_bytes(whole.replace(b'"sealed": 4', b'"sealed": 5'))
    with pytest.raises(ManifestError, match="its lines make 4 splits"):
        manifest.read(path)


def test_how_a_shared_split_is_called() -> None:
    split = FILES.split(4)
    assert isinstance(split, SharedSplit)
    assert [f.path for f in files_of(SMALL)] == [p.path for p in split.files]
    assert (
        SharedSplit((SharedFile("/a", 1, 1), SharedFile("/b", 1, 1))).describe()
        == "/a and 1 more file"
    )
    assert SharedSplit((SharedFile("/a", 1, 1),) * 64).describe() == "/a and 63 more files"
