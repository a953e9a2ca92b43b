"""The state file by itself: what is written is read, and what is damaged is refused by name."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wc.core import bitmap
from wc.counts import delta
from wc.jobs import manifest
from wc.jobs.manifest import InputFile, Manifest
from wc.jobs.spec import JobSpec
from wc.transfer.container import StateError
from wc.transfer.records import (
    Base,
    Dead,
    Dots,
    Job,
    ManifestCopy,
    Marks,
    Record,
    Seal,
    Writer,
    read,
)

SPEC = JobSpec("books", "/x/*.txt", "whitespace", "strict", 1, 1, ("h1", "h2"), True, 1.5)
PACKED = manifest.pack(Manifest(100, [InputFile("/x/a.txt", 250, 7, "none", False)], 2))


def write(path: Path, records: Iterable[Record]) -> None:
    with path.open("wb") as out:
        writer = Writer(out, "h1")
        for record in records:
            writer.write(record)
        writer.close()


def single(records: Iterable[Record]) -> list[Record]:
    """Records with one dot each, however they were batched."""
    return [
        one
        for record in records
        for one in (
            [Dots(record.job, record.origin, record.retracted, (pair,)) for pair in record.deltas]
            if isinstance(record, Dots)
            else [record]
        )
    ]


def sample() -> list[Record]:
    def packed(seq: int) -> bytes:
        return delta.pack({"the": seq, f"w{seq}": 1})

    return [
        Job(SPEC),
        Seal("books", "h1", 9, 2, 3),
        ManifestCopy("books", "h1", PACKED),
        Dots("books", "h1", True, ((2, packed(2)),)),
        Base("books", "h1", 5, bitmap.first(1), "ab" * 20, packed(14)),
        Dots("books", "h1", False, ((6, packed(6)), (7, packed(7)))),
        Marks("books", "h1", bitmap.first(2)),
        Dead("books", "h1", {8: {"error": "no UTF-8: \udcff"}}),
    ]


seqs = st.integers(1, 2**32 - 1)
origins = st.sampled_from(SPEC.origins)
bitmaps = st.binary(max_size=40)
few_words = st.sampled_from(["", "a", "the", "é"])
packed_counts = st.dictionaries(few_words, st.integers(1, 2**40), max_size=3).map(delta.pack)
digests = st.text("0123456789abcdef", min_size=40, max_size=40)
pairs = st.lists(st.tuples(seqs, packed_counts), min_size=1, max_size=5).map(tuple)
rows = st.one_of(
    st.builds(Seal, st.just("books"), origins, *[st.integers(0, 10**6)] * 3),
    st.just(ManifestCopy("books", "h2", PACKED)),
    st.builds(Dots, st.just("books"), origins, st.booleans(), pairs),
    st.builds(Base, st.just("books"), origins, seqs, bitmaps, digests, packed_counts),
    st.builds(Marks, st.just("books"), origins, bitmaps),
    st.builds(
        Dead,
        st.just("books"),
        origins,
        st.dictionaries(seqs, st.text(max_size=20) | st.integers(), max_size=3),
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, max_size=8))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, found: list) -> None:
    # Given any records of a job, in any order
    path = tmp_path_factory.getbasetemp() / "any.tar"
    # If they are written; expect the same ones from reading, dot by dot
    write(path, [Job(SPEC), *found])
    assert single(read(path)) == single([Job(SPEC), *found])


def test_equal_states_are_equal_files(tmp_path: Path) -> None:
    write(tmp_path / "a", sample())
    write(tmp_path / "b", sample())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_dots_come_in_batches_of_bounded_size(tmp_path: Path) -> None:
    # Given more dots than a batch takes
    few = delta.pack({"a": 1})
    deltas = tuple((seq, few) for seq in range(1, 601))
    write(tmp_path / "state.tar", [Job(SPEC), Dots("books", "h1", False, deltas)])
    # Expect some batches, in order
    found = [r for r in read(tmp_path / "state.tar") if isinstance(r, Dots)]
    assert [len(r.deltas) for r in found] == [256, 256, 88]
    assert sum((r.deltas for r in found), ()) == deltas


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    # Given a whole file
    path = tmp_path / "state.tar"
    write(path, sample())
    whole = path.read_bytes()
    used = max(at for at in range(0, len(whole), 512) if whole[at : at + 512].strip(b"\0")) + 512
    # If it is cut between blocks or inside of them, where anything is lost
    for length in (0, 1, 100, *range(512, used, 512), *range(700, used - 512, 512)):
        path.write_bytes(whole[:length])
        # Expect an error, and what came before it to be what was written
        found = []
        with pytest.raises(StateError, match=r"state file"):
            found.extend(read(path))
        assert single(found) == single(sample())[: len(single(found))]


def test_a_changed_byte_anywhere_is_seen(tmp_path: Path) -> None:
    # Given a whole file, and where its members' contents are
    path = tmp_path / "state.tar"
    write(path, sample())
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        places = [(m.name, m.offset_data, m.size) for m in tar]
    assert "books/h1/deltas/7" in [name for name, _, _ in places]
    # If a byte of one is changed: expect the member's name
    for name, start, size in places:
        for at in {start, start + size // 2, start + size - 1}:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
            with pytest.raises(StateError, match=name):
                list(read(path))
    # If a byte of a header is changed: expect an error as well
    for _, start, _ in places:
        at = start - 512 + 3
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        with pytest.raises(StateError, match="state file"):
            list(read(path))


def remade(path: Path, change: dict[str, bytes | None], extra: Iterable[str] = ()) -> None:
    """The sample, with members of other content or without them, and some appended at the end."""
    write(path, sample())
    with tarfile.open(path) as tar:
        kept = {m.name: tar.extractfile(m).read() for m in tar} | change  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        for name, data in [*kept.items(), *((name, b"x") for name in extra)]:
            if data is not None:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


REFUSED = {
    "a delta that is none": ({"books/h1/deltas/7": b"FLD\1 and no more"}, "books/h1/deltas/7: "),
    "a member left out": ({"books/h1/deltas/6": None}, r"end.json: 11 members .* 10 are there"),
    "no job": ({"books/job.json": None}, "books/h1/seal.json: not known here"),
    "no base": ({"books/h1/base": None}, "books/h1/deltas/6: a base was to come here"),
    "no head": ({"state.json": None}, "begins with member books/job.json and not state.json"),
    "a document without its sum": ({"books/h1/retracted.json": b"{}"}, "retracted.json: 'content'"),
    "no JSON": ({"books/h1/seal.json": b"\xff"}, "seal.json: "),
    "a manifest that is none": ({"books/h1/manifest": b"?"}, "books/h1/manifest: .*damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    change, message = REFUSED[case]
    remade(tmp_path / "state.tar", change)  # type: ignore[arg-type]
    with pytest.raises(StateError, match=message):
        list(read(tmp_path / "state.tar"))


@pytest.mark.parametrize("name", ["books/h1/deltas/0", "books/h1/deltas/07", "books/h1/deltas/x"])
def test_a_dot_with_a_strange_number(tmp_path: Path, name: str) -> None:
    good = delta.pack({"a": 1})
    remade(tmp_path / "state.tar", {"end.json": None, name: good})
    with pytest.raises(StateError, match=name):
        list(read(tmp_path / "state.tar"))


@pytest.mark.parametrize("name", ["books/h9/deltas/1", "books/h1/other", "../x", "other/job.json"])
def test_members_that_nobody_knows(tmp_path: Path, name: str) -> None:
    remade(tmp_path / "state.tar", {"end.json": None, name: b"x"})
    with pytest.raises(StateError, match=name):
        list(read(tmp_path / "state.tar"))


def test_a_later_format_and_another_kind_of_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.tar"
    # Given a file that a later version wrote; expect both numbers to be told, and what to do
    with monkeypatch.context() as later:
        later.setattr("wc.transfer.container.VERSION", 2)
        write(path, sample())
    with pytest.raises(StateError, match=r"format 2 .*this reads 1; run `fab provision`"):
        list(read(path))
    # Given something else; expect to be told that it is no state file
    path.write_bytes(b"no tar at all, just a text" * 100)
    with pytest.raises(StateError, match="not a state file"):
        list(read(path))
