"""The manifest: the durable list of one origin's splits, on the driver's disk.

A line a file, and arithmetic for the rest: a file's splits have consecutive
sequence numbers and equal lengths, so the k-th split is computed, not stored. Memory
and disk follow the number of files. Sequence numbers are dense, 1..n. The manifest
is complete and fsynced before the first split is enqueued; its last line seals it,
so a half-written one is told from a whole one and made again.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Compression = Literal["none", "gzip"]

VERSION = 1


class ManifestError(Exception):
    """A manifest file is damaged; the message names it and says what to do."""


@dataclass(frozen=True)
class InputFile:
    """One input. Size in bytes, mtime in nanoseconds; ``whole`` if it cannot be split."""

    path: str
    size: int
    mtime_ns: int
    compression: Compression
    whole: bool


@dataclass(frozen=True)
class Task:
    """One split as a worker sees it: a byte range of a file."""

    path: str
    offset: int
    length: int
    size: int
    mtime_ns: int
    compression: Compression

    def to_json(self) -> str:
        values = [self.path, self.offset, self.length, self.size, self.mtime_ns, self.compression]
        return json.dumps(values)

    def describe(self) -> str:
        return f"{self.path} bytes {self.offset} to {self.offset + self.length}"


def task_from_json(text: str | bytes) -> Task:
    return Task(*json.loads(text))


class Manifest:
    """An origin's files in order, and the splits they make of ``split_bytes`` each."""

    def __init__(self, split_bytes: int, files: Iterable[InputFile]) -> None:
        self.split_bytes = split_bytes
        self.files = list(files)
        self._first: list[int] = []  # the sequence number of each file's first split
        seq = 1
        for file in self.files:
            self._first.append(seq)
            seq += self._splits_of(file)
        self.total = seq - 1
        self.total_bytes = sum(file.size for file in self.files)

    def _splits_of(self, file: InputFile) -> int:
        if file.whole or file.size == 0:
            return 1
        return -(-file.size // self.split_bytes)

    def task(self, seq: int) -> Task:
        """The split with sequence number ``seq``, 1..total."""
        if not 1 <= seq <= self.total:
            raise IndexError(f"split {seq} of {self.total}")
        return self._task(bisect_right(self._first, seq) - 1, seq)

    def tasks(self, first: int, last: int) -> Iterator[tuple[int, Task]]:
        """(seq, split) for first <= seq <= last."""
        index = bisect_right(self._first, first) - 1
        for seq in range(first, min(last, self.total) + 1):
            while index + 1 < len(self._first) and self._first[index + 1] <= seq:
                index += 1
            yield seq, self._task(index, seq)

    def _task(self, index: int, seq: int) -> Task:
        file = self.files[index]
        if file.whole:
            offset, length = 0, file.size
        else:
            offset = (seq - self._first[index]) * self.split_bytes
            length = min(self.split_bytes, file.size - offset)
        return Task(file.path, offset, length, file.size, file.mtime_ns, file.compression)


def write(path: Path, manifest: Manifest) -> None:
    """Write and fsync a manifest, atomically."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", errors="surrogateescape") as out:
        out.write(json.dumps({"version": VERSION, "split_bytes": manifest.split_bytes}) + "\n")
        for f in manifest.files:
            out.write(json.dumps([f.path, f.size, f.mtime_ns, f.compression, f.whole]) + "\n")
        out.write(json.dumps({"sealed": manifest.total}) + "\n")
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> Manifest:
    """Read a manifest back. Raises ManifestError, or FileNotFoundError if there is none."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        try:
            head = json.loads(next(lines))
            rows = [json.loads(line) for line in lines]
            seal = rows.pop()
            if head["version"] != VERSION:
                raise ManifestError(f"{path}: version {head['version']}, this reads {VERSION}")
            manifest = Manifest(head["split_bytes"], (InputFile(*row) for row in rows))
            if seal != {"sealed": manifest.total}:
                raise ValueError(f"sealed as {seal}, but its lines make {manifest.total} splits")
        except (ValueError, KeyError, TypeError, StopIteration, IndexError) as error:
            raise ManifestError(f"{path}: damaged ({error}); start the job anew") from None
    return manifest
