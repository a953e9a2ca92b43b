"""The archive: the deltas that were folded into a base, on a host's disk.

Before a replica forgets a delta, its host's driver has written it here: a later retraction, or
a repair of a replica that no base fits, must not depend on the input still being there. One
SQLite database a job: durable when a transaction ends, indexed by dot, whole after any crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

NAME = "archive.sqlite"
#: How long to wait for another process that writes.
BUSY_SECONDS = 30.0
#: SQLite's limit on the variables of one statement is higher; this is about memory.
ASKED = 500


class Archive:
    """One job's archive. Raises sqlite3.Error, and OSError for a folder that is not there."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def add(self, origin: str, deltas: Iterable[tuple[int, bytes]]) -> None:
        """Keep these deltas; durable on return. A dot that is there stays as it is."""
        if not self._path.parent.is_dir():
            raise FileNotFoundError(f"{self._path.parent}: the job's folder is not there")
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as db, db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS dots"
                " (origin TEXT, seq INTEGER, delta BLOB, PRIMARY KEY (origin, seq))"
            )
            rows = ((origin, seq, delta) for seq, delta in deltas)
            db.executemany("INSERT OR IGNORE INTO dots VALUES (?, ?, ?)", rows)

    def get(self, origin: str, seqs: Sequence[int]) -> dict[int, bytes]:
        """Those of the deltas that are here, by seq."""
        if not self._path.exists():
            return {}
        found: dict[int, bytes] = {}
        with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as db:
            for at in range(0, len(seqs), ASKED):
                asked = seqs[at : at + ASKED]
                marks = ",".join("?" * len(asked))
                query = f"SELECT seq, delta FROM dots WHERE origin = ? AND seq IN ({marks})"  # noqa: S608 - question marks only
                found.update(db.execute(query, (origin, *asked)).fetchall())
        return found
