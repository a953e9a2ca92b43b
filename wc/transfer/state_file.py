"""The state file: an SQLite database with a table for each kind of record. No Redis here.

It is not trusted: only a database with exactly our tables is read, one row at a time. The table
``sums`` has a count and a checksum of each other one, compared before the first row is given out:
so a file that was damaged or cut off is refused as a whole (docs/state-format.md).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

import xxhash

#: In the database's header: "FLST", and the format.
APPLICATION, FORMAT = int.from_bytes(b"FLST", "big"), 2
#: The longest value; Redis has no longer ones.
MOST_BYTES = 512 << 20
#: What a tar, which was format 1, has at this place.
TAR_AT, TAR = 257, b"ustar"

#: The columns of each table, as in CREATE TABLE.
Tables = Mapping[str, str]
Row = tuple[Any, ...]


class StateError(ValueError):
    """The file is no state file, or damaged, or of another format; the message says what to do."""


class Writer:
    """Writes rows to an empty file. Without ``finish`` it is refused when read. sqlite3.Error."""

    def __init__(self, path: Path, tables: Tables) -> None:
        self._sums = {table: _Sum() for table in tables}
        self._db = sqlite3.connect(path, isolation_level=None)
        # Who writes a file removes it after an error: there is nothing to roll back to.
        for setting in ("journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {setting}")
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {FORMAT}")
        self._db.execute("BEGIN")
        for create in _schema(tables):
            self._db.execute(create)

    def add(self, table: str, row: Row) -> None:
        marks = ",".join("?" * len(row))
        self._db.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - our tables
        self._sums[table].add(row)

    def finish(self) -> None:
        sums = ((table, *total.facts()) for table, total in self._sums.items())
        self._db.executemany("INSERT INTO sums VALUES (?, ?, ?)", sums)
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()


def rows(path: Path, tables: Tables) -> Iterator[tuple[str, Row]]:
    """The rows with their tables: in the tables' order, and then as they were written.

    Raises StateError before the first row; OSError.
    """
    with path.open("rb") as file:
        if file.read(TAR_AT + len(TAR)).endswith(TAR):
            raise StateError(_other_format("1 (a tar)"))
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as db:
            _require_whole(db, tables)
            for table in tables:
                for row in _select(db, table):
                    yield table, row
    except sqlite3.Error as error:
        raise damaged(str(error)) from None


def damaged(reason: str) -> StateError:
    return StateError(f"state file damaged: {reason}; take another copy of it, or export it again")


def _require_whole(db: sqlite3.Connection, tables: Tables) -> None:
    # What SQLite advises for files from elsewhere.
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    for setting in ("trusted_schema = OFF", "cell_size_check = ON"):
        db.execute(f"PRAGMA {setting}")
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
    except sqlite3.DatabaseError as error:
        raise StateError(f"not a state file: {error}") from None
    if application != APPLICATION:
        raise StateError("not a state file: scripts/merge_counters --export did not write it")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != FORMAT:
        raise StateError(_other_format(version))
    for (finding,) in db.execute("PRAGMA integrity_check(1)"):
        if finding != "ok":
            raise damaged(finding)
    found = [sql for (sql,) in db.execute("SELECT sql FROM sqlite_schema ORDER BY rowid")]
    if found != _schema(tables):
        raise damaged("its tables are not those of a state file")
    totals = ((table, *_Sum(_select(db, table)).facts()) for table in tables)
    for written, there in zip_longest(_select(db, "sums"), totals):
        if written != there:
            raise damaged(f"table, rows and sum were {written}, and are {there}")


def _schema(tables: Tables) -> list[str]:
    every = {**tables, "sums": "name TEXT, count INTEGER, sum TEXT"}
    return [f"CREATE TABLE {table} ({columns}) STRICT" for table, columns in every.items()]


def _select(db: sqlite3.Connection, table: str) -> Iterable[Row]:
    return db.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608 - our tables


def _other_format(version: object) -> str:
    return (
        f"state file of format {version}: this reads {FORMAT}; merge it with the version that "
        "wrote it, or export it again with this one"
    )


class _Sum:
    """The number of a table's rows, and XXH3 (128 bits) over their values."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._count = 0
        self._hash = xxhash.xxh3_128()
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        self._count += 1
        for value in row:
            data = value if isinstance(value, bytes) else str(value).encode()
            self._hash.update(b"%d:" % len(data))
            self._hash.update(data)

    def facts(self) -> list[Any]:
        return [self._count, self._hash.hexdigest()]
