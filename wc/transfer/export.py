"""Writing what one replica has of its jobs to a file (wc/transfer/records.py).

The replica may be in use meanwhile: P and N only grow, so what came late is merely not in the file.
Only a base and its description must belong together. Where the base has moved on before all deltas
above it were read, the newer base is written too: a reader merges one after the other.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from wc.backends.redis.replica import Replica
from wc.core import atomic_file, bitmap
from wc.core.delta_batches import batches
from wc.crdt.dot_sets import DotSets
from wc.jobs.spec import JobSpec
from wc.transfer.records import TABLES, Base, Dead, Dots, Job, ManifestCopy, Marks, Seal, write
from wc.transfer.state_file import StateError, Writer

#: How often a base may move on while an origin is written.
TRIES = 10


def export(replica: Replica, job: str, out: Path) -> dict[str, Any]:
    """Write one job, or all jobs if ``job`` is "". ``out`` appears when it is whole, mode 0600.

    Returns {"replica", "jobs", "dots", "bytes"}: dots that are in the file, by themselves or in a
    base. Raises StateError, Unavailable, Rejected.
    """
    specs = _specs(replica, job)
    try:
        with atomic_file.replacing(out, mode=0o600) as file:
            dots = _write(Path(file.name), replica, specs)
            size = os.fstat(file.fileno()).st_size
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StateError(f"{out}: cannot be written: {reason}") from None
    jobs = [spec.name for spec in specs]
    return {"replica": replica.name, "jobs": jobs, "dots": dots, "bytes": size}


def _specs(replica: Replica, job: str) -> list[JobSpec]:
    specs = replica.registry.jobs()
    chosen = [spec for spec in specs if job in ("", spec.name)]
    if not chosen and (why := replica.registry.unreadable().get(job)):
        raise StateError(why)
    if not chosen:
        known = ", ".join(spec.name for spec in specs[-5:]) or "none"
        raise StateError(f"no job {job!r} on replica {replica.name}; the latest are: {known}")
    return chosen


def _write(path: Path, replica: Replica, specs: Iterable[JobSpec]) -> int:
    dots = 0
    with closing(Writer(path, TABLES)) as writer:
        for spec in specs:
            write(writer, Job(spec.name, spec.to_json()))
            for origin in spec.origins:
                dots += _Origin(writer, replica, spec.name, origin).write()
        writer.finish()
    return dots


class _Origin:
    """One origin of one job, on its way into the file."""

    def __init__(self, writer: Writer, replica: Replica, job: str, origin: str) -> None:
        self._writer = writer
        self._replica = replica
        self._store = replica.job(job)
        self._job = job
        self._origin = origin
        self._written = bytearray()  # dots that are in the file

    def write(self) -> int:
        """How many dots were written."""
        job, origin = self._job, self._origin
        self._write_metadata()
        for _ in range(TRIES):
            dots = self._store.dot_sets(origin)
            # The counts of retracted dots come first: a reader whose replica has retracted
            # such a dot can then take the base, which may contain it.
            self._write_dots(bitmap.intersection([dots.applied, dots.retracted]), retracted=True)
            if not self._write_base(dots):
                continue
            above = bitmap.difference(dots.applied, bitmap.first(dots.through))
            self._write_dots(bitmap.difference(above, dots.retracted), retracted=False)
            if self._store.dot_sets(origin).through == dots.through:
                break
        else:
            raise StateError(f"{self._replica.name}: {job}: the base of {origin} moves; try again")
        if any(dots.retracted):
            write(self._writer, Marks(job, origin, dots.retracted))
        for dot, error in self._store.dead().items():
            if dot.startswith(f"{origin}/"):
                seq = int(dot.removeprefix(f"{origin}/"))
                write(self._writer, Dead(job, origin, seq, json.dumps(error)))
        return bitmap.count(self._written)

    def _write_metadata(self) -> None:
        job, origin = self._job, self._origin
        status = self._store.status([origin]).origins[origin]
        if status.total is not None:
            seal = Seal(job, origin, status.total, status.revision, status.retracted_total)
            write(self._writer, seal)
        copy = self._store.manifest_copy(origin)
        if copy is not None:
            write(self._writer, ManifestCopy(job, origin, copy[1]))

    def _write_base(self, dots: DotSets) -> bool:
        """Write the base; False if it is not the one in ``dots`` any more."""
        if not dots.through:
            return True
        now, packed = self._store.base(self._origin)
        if packed is None or now.base != dots.base:
            return False
        job, origin = self._job, self._origin
        base = Base(job, origin, dots.through, dots.excluded, dots.base_digest, packed)
        write(self._writer, base)
        inside = bitmap.union([self._written, bitmap.first(dots.through)])
        self._written = bytearray(inside)
        return True

    def _write_dots(self, bits: bytes, *, retracted: bool) -> None:
        """Write those that are not in the file yet, and that the replica has by themselves."""
        seqs = list(bitmap.members(bitmap.difference(bits, self._written)))

        def fetch(asked: list[int]) -> list[bytes | None]:
            return self._store.contents(self._origin, asked)

        for deltas in batches(seqs, fetch):
            write(self._writer, Dots(self._job, self._origin, retracted, tuple(deltas)))
            for seq, _ in deltas:
                bitmap.add(self._written, seq)
