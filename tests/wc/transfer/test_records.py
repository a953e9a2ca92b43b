"""The state file by itself: what is written is read, and what is damaged is refused as a whole."""

from __future__ import annotations

import io
import json
import sqlite3
import tarfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wc.core import bitmap
from wc.counts import delta
from wc.jobs import manifest
from wc.jobs.manifest import InputFile, Manifest
from wc.jobs.spec import JobSpec
from wc.transfer.records import (
    TABLES,
    Base,
    Dead,
    Dots,
    Job,
    ManifestCopy,
    Marks,
    Record,
    Seal,
    read,
)
from wc.transfer.records import write as write_record
from wc.transfer.state_file import StateError, Writer

SPEC = JobSpec("books", "/x/\udcff*.txt", "whitespace", "strict", 1, 1, ("h1", "h2"), True, 1.5)
JOB = Job("books", SPEC.to_json())
PACKED = manifest.pack(Manifest(100, [InputFile("/x/a.txt", 250, 7, "none", False)], 2))


def write(path: Path, records: Iterable[Record]) -> None:
    path.unlink(missing_ok=True)
    with closing(Writer(path, TABLES)) as writer:
        for record in records:
            write_record(writer, record)
        writer.finish()


def single(records: Iterable[Record]) -> list[Record]:
    """Records with one dot each, however they were batched."""
    return [
        one
        for record in records
        for one in (
            [record._replace(deltas=(pair,)) for pair in record.deltas]
            if isinstance(record, Dots)
            else [record]
        )
    ]


def packed(seq: int) -> bytes:
    return delta.pack({"the": seq, f"w{seq}": 1})


def sample() -> list[Record]:
    return [
        JOB,
        Seal("books", "h1", 9, 2, 3),
        ManifestCopy("books", "h1", PACKED),
        Dots("books", "h1", True, ((2, packed(2)),)),
        Base("books", "h1", 5, bitmap.first(1), "ab" * 20, packed(14)),
        Dots("books", "h1", False, ((6, packed(6)), (7, packed(7)))),
        Marks("books", "h1", bitmap.first(2)),
        Dead("books", "h1", 8, json.dumps({"error": "no UTF-8: \udcff"})),
    ]


KINDS = (Job, Seal, ManifestCopy, Dots, Base, Dots, Marks, Dead)


def rank(record: Record) -> int:
    """Where a record must come, so that merging in this order loses nothing."""
    if isinstance(record, Dots):
        return 3 if record.retracted else 5
    return KINDS.index(type(record))


seqs = st.integers(1, 2**32 - 1)
origins = st.sampled_from(SPEC.origins)
bitmaps = st.binary(max_size=40)
few_words = st.sampled_from(["", "a", "the", "é"])
packed_counts = st.dictionaries(few_words, st.integers(1, 2**40), max_size=3).map(delta.pack)
digests = st.text("0123456789abcdef", min_size=40, max_size=40)
pairs = st.lists(st.tuples(seqs, packed_counts), min_size=1, max_size=5).map(tuple)
errors = (st.text(max_size=20) | st.integers()).map(json.dumps)
rows = st.one_of(
    st.builds(Seal, st.just("books"), origins, *[st.integers(0, 10**6)] * 3),
    st.just(ManifestCopy("books", "h2", PACKED)),
    st.builds(Dots, st.just("books"), origins, st.booleans(), pairs),
    st.builds(Base, st.just("books"), origins, seqs, bitmaps, digests, packed_counts),
    st.builds(Marks, st.just("books"), origins, bitmaps),
    st.builds(Dead, st.just("books"), origins, seqs, errors),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, max_size=8))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, found: list) -> None:
    # Given any records of a job, written in any order
    path = tmp_path_factory.getbasetemp() / "any.sqlite"
    write(path, [*found, JOB])
    # Expect the same ones from reading, dot by dot, in the one order that loses nothing
    assert single(read(path)) == sorted(single([*found, JOB]), key=rank)


def test_equal_states_are_equal_files(tmp_path: Path) -> None:
    write(tmp_path / "a", sample())
    write(tmp_path / "b", sample())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_dots_come_in_batches_of_bounded_size(tmp_path: Path) -> None:
    # Given more dots than a batch takes
    few = delta.pack({"a": 1})
    deltas = tuple((seq, few) for seq in range(1, 601))
    write(tmp_path / "state", [JOB, Dots("books", "h1", False, deltas)])
    # Expect some batches, in order
    found = [r for r in read(tmp_path / "state") if isinstance(r, Dots)]
    assert [len(r.deltas) for r in found] == [256, 256, 88]
    assert sum((r.deltas for r in found), ()) == deltas


def refuse(path: Path, message: str = "state file") -> None:
    """Expect a file to be refused before any record of it is read."""
    found = []
    with pytest.raises(StateError, match=message):
        found.extend(read(path))
    assert found == []


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write(path, sample())
    whole = path.read_bytes()
    for length in (0, 1, 16, 100, *range(512, len(whole), 512), len(whole) - 1):
        path.write_bytes(whole[:length])
        refuse(path)


def test_a_changed_byte_anywhere_is_seen(tmp_path: Path) -> None:
    # Given a whole file, and where its bytes are that tell something: pages are mostly empty
    path = tmp_path / "state"
    write(path, sample())
    whole = path.read_bytes()
    used = [at for at, byte in enumerate(whole) if byte]
    # If one is changed: expect a refusal as a whole; or all records as they were, where SQLite
    # tells a thing twice
    refused = 0
    for at in used:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :])
        found = []
        try:
            found.extend(read(path))
        except StateError:
            refused += 1
            assert not found
        else:
            assert single(found) == single(sample())
    assert refused > 0.9 * len(used)


def changed(path: Path, *statements: str) -> None:
    """The sample, changed by somebody with SQLite."""
    write(path, sample())
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


REFUSED = {
    "a row less": (
        "DELETE FROM deltas WHERE seq = 6",
        r"were \('deltas', 2, .* are \('deltas', 1, ",
    ),
    "a row more": (
        "INSERT INTO seals VALUES ('books', 'h2', 1, 1, 1)",
        r"were \('seals', 1, .* are \('seals', 2, ",
    ),
    "a value changed": (
        "UPDATE marks SET retracted = x'00'",
        r"were \('marks', 1, .* are \('marks', 1, ",
    ),
    "no sums": ("DELETE FROM sums", r"were None, and are \('jobs', 1, "),
    "a sum too many": (
        "INSERT INTO sums VALUES ('other', 0, '')",
        r"were \('other', 0, ''\), and are None",
    ),
    "no table": ("DROP TABLE dead", "tables are not those"),
    "a view": ("CREATE VIEW v AS SELECT 1", "tables are not those"),
    "a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON jobs BEGIN SELECT 1; END",
        "tables are not those",
    ),
    "another program's file": ("PRAGMA application_id = 7", "not a state file"),
    "a later format": (
        "PRAGMA user_version = 3",
        "state file of format 3: this reads 2; merge it with the version that wrote it",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    statement, message = REFUSED[case]
    changed(tmp_path / "state", statement)
    refuse(tmp_path / "state", message)


good = packed(1)
UNKNOWN: dict[str, tuple[Record, str]] = {
    "a delta that is none": (
        Dots("books", "h1", False, ((1, b"FLD\1 and no more"),)),
        "table deltas, 'books', 'h1', 1: ",
    ),
    "dot 0": (Dots("books", "h1", True, ((0, good),)), "table negatives, 'books', 'h1', 0: 0: a"),
    "a dot too high": (Dots("books", "h1", True, ((2**32, good),)), "a number from 1 to"),
    "a host of no job": (Dots("books", "h9", False, ((1, good),)), "no job of the file has such"),
    "no job": (Seal("other", "h1", 1, 1, 0), "table seals, 'other', 'h1'"),
    "a negative total": (Seal("books", "h1", -1, 1, 0), "-1: a number from 0"),
    "no base": (Base("books", "h1", 1, b"", "ab" * 20, b"?"), "table bases, 'books', 'h1', 1"),
    "no digest": (Base("books", "h1", 1, b"", "xy", good), "digest 'xy': 40 hex digits"),
    "no manifest": (ManifestCopy("books", "h1", b"?"), "table manifests, .*damaged"),
    "no JSON": (Dead("books", "h1", 1, "{"), "table dead, 'books', 'h1', 1, '{'"),
    "another job's specification": (Job("b", SPEC.to_json()), "specification of job books"),
    "no specification": (Job("b", "{}"), "table jobs, b: not a job specification"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_records_that_no_export_writes(tmp_path: Path, case: str) -> None:
    record, message = UNKNOWN[case]
    write(tmp_path / "state", [JOB, record])
    with pytest.raises(StateError, match=f"state file.*{message}"):
        list(read(tmp_path / "state"))


def test_values_that_redis_has_none_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    write(path, [JOB, Marks("books", "h1", b"\xff" * 5000)])
    monkeypatch.setattr("wc.transfer.state_file.MOST_BYTES", 4999)
    refuse(path, "damaged: .*too big")


def test_an_earlier_format_and_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "state"
    # Given a file of format 1; expect both numbers, and what to do
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("state.json"), io.BytesIO())
    refuse(path, r"format 1 \(a tar\): this reads 2; .* export it again with this one")
    # Given something else; expect to be told that it is no state file
    path.write_bytes(b"no database at all, just a text" * 100)
    refuse(path, "not a state file")
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "nothing"))
