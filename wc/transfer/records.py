"""A replica's state as a file: records that can each be merged, in the order that loses nothing.

A record is a row of a table of the state file (wc/transfer/state_file.py), but for deltas, which
come in batches. No Redis here. The tables are in docs/state-format.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from wc.core.delta_batches import BATCH_BYTES, BATCH_DOTS
from wc.counts import kernel
from wc.jobs import manifest
from wc.jobs.spec import JobSpec, SpecError
from wc.transfer import state_file
from wc.transfer.state_file import Row, StateError, damaged

#: Redis' bitmaps have no more bits.
MOST_DOTS = 2**32 - 1


class Job(NamedTuple):
    """A job and its specification, as JSON."""

    job: str
    spec: str


class Seal(NamedTuple):
    """A sealed revision of an origin's manifest: its splits, and how many of them are retracted."""

    job: str
    origin: str
    total: int
    revision: int
    retracted: int


class ManifestCopy(NamedTuple):
    """The copy of an origin's manifest, packed."""

    job: str
    origin: str
    packed: bytes

    @property
    def revision(self) -> int:
        """Of the manifest. Raises ManifestError."""
        return manifest.unpack(self.packed).revision


class Base(NamedTuple):
    """The sum of dots 1..through but the ``excluded`` ones (a bitmap); ``digest`` is that of dots
    1..through."""

    job: str
    origin: str
    through: int
    excluded: bytes
    digest: str
    packed: bytes


class Dots(NamedTuple):
    """Dots with their deltas; ``retracted`` if they are in N besides."""

    job: str
    origin: str
    retracted: bool
    deltas: tuple[tuple[int, bytes], ...]


class Marks(NamedTuple):
    """All retracted dots, as a bitmap."""

    job: str
    origin: str
    retracted: bytes


class Dead(NamedTuple):
    """A split that was given up, and why, as JSON."""

    job: str
    origin: str
    seq: int
    error: str


Record = Job | Seal | ManifestCopy | Base | Dots | Marks | Dead

_OF = "job TEXT, origin TEXT"
#: In the order in which they are merged: see docs/state-format.md.
TABLES = {
    "jobs": "job TEXT, spec TEXT",
    "seals": f"{_OF}, total INTEGER, revision INTEGER, retracted INTEGER",
    "manifests": f"{_OF}, packed BLOB",
    "negatives": f"{_OF}, seq INTEGER, delta BLOB",
    "bases": f"{_OF}, through INTEGER, excluded BLOB, digest TEXT, packed BLOB",
    "deltas": f"{_OF}, seq INTEGER, delta BLOB",
    "marks": f"{_OF}, retracted BLOB",
    "dead": f"{_OF}, seq INTEGER, error TEXT",
}
_KINDS: dict[str, Any] = {
    "jobs": Job,
    "seals": Seal,
    "manifests": ManifestCopy,
    "bases": Base,
    "marks": Marks,
    "dead": Dead,
}
_TABLE_OF = {kind: table for table, kind in _KINDS.items()}


def write(writer: state_file.Writer, record: Record) -> None:
    """Raises sqlite3.Error."""
    if isinstance(record, Dots):
        table = "negatives" if record.retracted else "deltas"
        for seq, packed in record.deltas:
            writer.add(table, (record.job, record.origin, seq, packed))
    else:
        writer.add(_TABLE_OF[type(record)], record)


def read(path: Path) -> Iterator[Record]:
    """The records of a file; dots come in batches of bounded size.

    Raises StateError: before the first record for a file that is not as it was written, later for
    what no export writes. OSError if it cannot be read.
    """
    origins: dict[str, tuple[str, ...]] = {}  # of each job
    rows = (_checked(table, row, origins) for table, row in state_file.rows(path, TABLES))
    for (table, job, origin), group in groupby(rows, lambda found: (found[0], *found[1][:2])):
        if table in _KINDS:
            yield from (_KINDS[table](*row) for _, row in group)
        else:
            deltas = ((seq, packed) for _, (_, _, seq, packed) in group)
            for batch in _batches(deltas):
                yield Dots(job, origin, table == "negatives", batch)


def _batches(deltas: Iterator[tuple[int, bytes]]) -> Iterator[tuple[tuple[int, bytes], ...]]:
    batch: list[tuple[int, bytes]] = []
    size = 0
    for seq, packed in deltas:
        batch.append((seq, packed))
        size += len(packed)
        if len(batch) == BATCH_DOTS or size >= BATCH_BYTES:
            yield tuple(batch)
            batch, size = [], 0
    if batch:
        yield tuple(batch)


def _checked(table: str, row: Row, origins: dict[str, tuple[str, ...]]) -> tuple[str, Row]:
    """The row, if it is a record's. ``origins`` gets those of a job."""
    try:
        _check(table, row, origins)
    except SpecError as error:
        raise StateError(f"state file, table {table}, {row[0]}: {error}") from None
    except (ValueError, manifest.ManifestError) as error:
        shown = ", ".join(repr(value)[:60] for value in row if not isinstance(value, bytes))
        raise damaged(f"table {table}, {shown}: {error}") from None
    return table, row


def _check(table: str, row: Row, origins: dict[str, tuple[str, ...]]) -> None:
    job, origin, *rest = row
    if table == "jobs":
        spec = JobSpec.from_json(origin)
        if spec.name != job:
            raise StateError(f"it is the specification of job {spec.name}")
        origins[job] = spec.origins
        return
    if origin not in origins.get(job, ()):
        raise StateError("no job of the file has such an origin")
    least = 0 if table == "seals" else 1
    for number in rest:
        if isinstance(number, int) and not least <= number <= MOST_DOTS:
            raise StateError(f"{number}: a number from {least} to {MOST_DOTS} expected")
    match table:
        case "manifests":
            manifest.unpack(rest[0])
        case "deltas" | "negatives" | "bases":
            kernel.new_tally().add(rest[-1])
        case "dead":
            json.loads(rest[-1])
    if table == "bases" and not re.fullmatch("[0-9a-f]{40}", rest[2]):
        raise StateError(f"digest {rest[2]!r}: 40 hex digits expected")
