"""The manifest: the durable list of one origin's splits, on the driver's disk.

A line a file, and arithmetic for the rest: a file's splits have consecutive
sequence numbers and equal lengths, so the k-th split is computed, not stored. Memory
and disk follow the number of files. Sequence numbers are dense, 1..n. The manifest
is complete and fsynced before the first split is enqueued; its last line seals it,
so a half-written one is told from a whole one and made again.

A job may be revised: files that changed or are gone are taken back, and what is new is
added behind them, so that a sequence number never means another split than it did.
"""

from __future__ import annotations

import json
import os
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Compression = Literal["none", "gzip"]

VERSION = 1


class ManifestError(Exception):
    """A manifest file is damaged; the message names it and says what to do."""


@dataclass(frozen=True)
class InputFile:
    """One input. Size in bytes, mtime in nanoseconds; ``whole`` if it cannot be split;
    ``retracted`` once its counts are taken back."""

    path: str
    size: int
    mtime_ns: int
    compression: Compression
    whole: bool
    retracted: bool = False


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
    """An origin's files in order, and the splits they make of ``split_bytes`` each.

    ``total`` counts all splits, ``total_bytes`` those of files that are not taken back.
    """

    def __init__(self, split_bytes: int, files: Iterable[InputFile], revision: int = 0) -> None:
        self.split_bytes = split_bytes
        self.revision = revision
        self.files = list(files)
        self._first: list[int] = []  # the sequence number of each file's first split
        seq = 1
        for file in self.files:
            self._first.append(seq)
            seq += self._splits_of(file)
        self.total = seq - 1
        self.total_bytes = sum(file.size for file in self.live)

    @property
    def live(self) -> list[InputFile]:
        """The files whose words count."""
        return [file for file in self.files if not file.retracted]

    def retracted(self) -> list[int]:
        """The splits that are taken back, ascending."""
        return [
            seq
            for first, file in zip(self._first, self.files, strict=True)
            if file.retracted
            for seq in range(first, first + self._splits_of(file))
        ]

    def revised(self, revision: int, gone: Iterable[str], added: Iterable[InputFile]) -> Manifest:
        """The next revision: the live files named ``gone`` taken back, and ``added`` behind.

        Raises ValueError for a name that is not live here.
        """
        names = set(gone)
        if unknown := names - {file.path for file in self.live}:
            raise ValueError(f"not among the files counted: {', '.join(sorted(unknown)[:5])}")
        files = [replace(f, retracted=f.retracted or f.path in names) for f in self.files]
        return Manifest(self.split_bytes, [*files, *added], revision)

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


def _lines(manifest: Manifest) -> Iterator[str]:
    head = {
        "version": VERSION,
        "split_bytes": manifest.split_bytes,
        "revision": manifest.revision,
    }
    yield json.dumps(head)
    for f in manifest.files:
        row = [f.path, f.size, f.mtime_ns, f.compression, f.whole]
        yield json.dumps([*row, True] if f.retracted else row)
    yield json.dumps({"sealed": manifest.total})


def _parse(lines: Iterable[str], where: str) -> Manifest:
    try:
        rows = [json.loads(line) for line in lines]
        head, seal = rows[0], rows.pop()
        if head["version"] != VERSION:
            raise ManifestError(f"{where}: version {head['version']}, this reads {VERSION}")
        files = (InputFile(*row) for row in rows[1:])
        manifest = Manifest(head["split_bytes"], files, head.get("revision", 0))
        if seal != {"sealed": manifest.total}:
            raise ValueError(f"sealed as {seal}, but its lines make {manifest.total} splits")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ManifestError(f"{where}: damaged ({error}); start the job anew") from None
    return manifest


def pack(manifest: Manifest) -> bytes:
    """The manifest as its copies on the replicas have it: the file's text, compressed by zlib."""
    text = "".join(line + "\n" for line in _lines(manifest))
    return zlib.compress(text.encode("utf-8", errors="surrogateescape"), 6)


def unpack(packed: bytes) -> Manifest:
    """The inverse of ``pack``. Raises ManifestError."""
    try:
        text = zlib.decompress(packed).decode("utf-8", errors="surrogateescape")
    except zlib.error as error:
        raise ManifestError(f"a manifest's copy is damaged: {error}") from None
    return _parse(text.splitlines(), "a manifest's copy")


def write(path: Path, manifest: Manifest) -> None:
    """Write and fsync a manifest, atomically."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", errors="surrogateescape") as out:
        for line in _lines(manifest):
            out.write(line + "\n")
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
        return _parse(lines, str(path))


def revision(path: Path) -> int:
    """The revision of a manifest file, from its first line. Raises as ``read`` does."""
    with path.open(encoding="utf-8") as lines:
        try:
            return int(json.loads(next(lines)).get("revision", 0))
        except (ValueError, AttributeError, StopIteration) as error:
            raise ManifestError(f"{path}: damaged ({error}); start the job anew") from None
