"""The manifest: the durable list of one origin's splits, on the driver's disk.

It has a line for each entry. An entry is a file, whose splits have consecutive sequence numbers and
equal lengths, so they are computed and not stored; or several small files that share one split
(wc/jobs/small_files.py). So memory and disk grow with the number of files, not of splits. Sequence
numbers are dense, 1..n. The manifest is complete and fsynced before the first split is enqueued.
Its last line seals it, so that a damaged one is noticed.

A revision retracts files that changed or are no more, and appends new ones, so that a sequence
number always means the same split. A shared split is retracted as a whole; those of its files that
still count are appended again.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wc.core import atomic_file
from wc.jobs.splits import Compression, FileSplit, SharedFile, SharedSplit, Split

#: Version 2 has shared splits. A manifest without them is written as version 1.
VERSIONS = (1, 2)


class ManifestError(Exception):
    """A manifest is damaged. The message names it and says what to do."""


class InputFile(NamedTuple):
    """An input file. Size in bytes, mtime in nanoseconds; ``whole`` if it must not be cut."""

    path: str
    size: int
    mtime_ns: int
    compression: Compression
    whole: bool
    retracted: bool = False


#: A file, or two or more that share a split. Those are not compressed, and all or none retracted.
Entry = InputFile | tuple[InputFile, ...]


class Manifest:
    """An origin's entries in order, and their splits: a file is cut every ``split_bytes`` bytes.

    ``total`` is the number of splits, ``total_bytes`` the bytes of files that are not retracted.
    """

    def __init__(self, split_bytes: int, entries: Iterable[Entry], revision: int = 0) -> None:
        self.split_bytes = split_bytes
        self.revision = revision
        self.entries = list(entries)
        self._first: list[int] = []  # the sequence number of each entry's first split
        self._retracted: list[int] = []
        self.live: list[InputFile] = []
        """The files that are not retracted."""
        seq = 1
        for entry in self.entries:
            self._first.append(seq)
            following = seq + self._splits_of(entry)
            if _is_retracted(entry):
                self._retracted += range(seq, following)
            else:
                self.live += files_of(entry)
            seq = following
        self.total = seq - 1
        self.total_bytes = sum(file.size for file in self.live)

    def retracted(self) -> list[int]:
        """The sequence numbers of retracted splits, ascending."""
        return self._retracted

    def revise(self, revision: int, retract: Iterable[str], added: Iterable[Entry]) -> Manifest:
        """The next revision: live files with these paths are retracted, and ``added`` appended.

        Live files that share a split with a retracted one are appended again, before ``added``.
        Raises ValueError for a path that is not live.
        """
        names = set(retract)
        if unknown := names - {file.path for file in self.live}:
            raise ValueError(f"not among the files counted: {', '.join(sorted(unknown)[:5])}")
        entries: list[Entry] = []
        again: list[Entry] = []
        for entry in self.entries:
            if not _has_live(entry, names):
                entries.append(entry)
                continue
            entries.append(entry_of([file._replace(retracted=True) for file in files_of(entry)]))
            if rest := [file for file in files_of(entry) if file.path not in names]:
                again.append(entry_of(rest))
        return Manifest(self.split_bytes, [*entries, *again, *added], revision)

    def recounted(self, retract: Iterable[str]) -> list[InputFile]:
        """The live files that ``revise`` would append again."""
        names = set(retract)
        revised = (entry for entry in self.entries if _has_live(entry, names))
        return [file for entry in revised for file in files_of(entry) if file.path not in names]

    def _splits_of(self, entry: Entry) -> int:
        if not isinstance(entry, InputFile) or entry.whole or entry.size == 0:
            return 1
        return -(-entry.size // self.split_bytes)

    def split(self, seq: int) -> Split:
        """The split with sequence number ``seq``, 1..total."""
        if not 1 <= seq <= self.total:
            raise IndexError(f"split {seq} of {self.total}")
        return self._split(bisect_right(self._first, seq) - 1, seq)

    def splits(self, first: int, last: int) -> Iterator[tuple[int, Split]]:
        """(seq, split) for first <= seq <= last."""
        index = bisect_right(self._first, first) - 1
        for seq in range(first, min(last, self.total) + 1):
            while index + 1 < len(self._first) and self._first[index + 1] <= seq:
                index += 1
            yield seq, self._split(index, seq)

    def _split(self, index: int, seq: int) -> Split:
        entry = self.entries[index]
        if not isinstance(entry, InputFile):
            return SharedSplit(tuple(SharedFile(f.path, f.size, f.mtime_ns) for f in entry))
        if entry.whole:
            offset, length = 0, entry.size
        else:
            offset = (seq - self._first[index]) * self.split_bytes
            length = min(self.split_bytes, entry.size - offset)
        return FileSplit(entry.path, offset, length, entry.size, entry.mtime_ns, entry.compression)


def files_of(entry: Entry) -> tuple[InputFile, ...]:
    """An entry's files: one, or those that share a split."""
    return (entry,) if isinstance(entry, InputFile) else entry


def entry_of(files: Sequence[InputFile]) -> Entry:
    """The entry of a file, or of several that share a split."""
    return files[0] if len(files) == 1 else tuple(files)


def _is_retracted(entry: Entry) -> bool:
    return files_of(entry)[0].retracted


def _has_live(entry: Entry, paths: set[str]) -> bool:
    return not _is_retracted(entry) and any(file.path in paths for file in files_of(entry))


def _row(entry: Entry) -> list[Any]:
    """An entry's line: [path, size, mtime, compression, whole], or [[[path, size, mtime], ...]] of
    files that share a split; true is appended once it is retracted."""
    row = [*entry[:-1]] if isinstance(entry, InputFile) else [[file[:3] for file in entry]]
    return [*row, True] if _is_retracted(entry) else row


def _entry(row: list[Any]) -> Entry:
    if isinstance(row[0], str):
        return InputFile(*row)
    retracted = row[1:] == [True]
    return tuple(InputFile(p, size, mtime, "none", False, retracted) for p, size, mtime in row[0])


def _text(manifest: Manifest) -> bytes:
    alone = all(isinstance(entry, InputFile) for entry in manifest.entries)
    head = {
        "version": VERSIONS[0] if alone else VERSIONS[1],
        "split_bytes": manifest.split_bytes,
        "revision": manifest.revision,
    }
    rows = [head, *map(_row, manifest.entries), {"sealed": manifest.total}]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()  # ASCII: all else is escaped


def _parse(text: bytes, where: str) -> Manifest:
    try:
        # All lines at once, as no string in JSON contains a newline.
        rows = json.loads(b"[" + text.rstrip(b"\n").replace(b"\n", b",") + b"]")
        head, seal = rows[0], rows.pop()
        if head["version"] not in VERSIONS:
            known = " and ".join(map(str, VERSIONS))
            raise ManifestError(
                f"{where}: version {head['version']}, this reads {known}; "
                "run `fab provision` from the version that wrote it"
            )
        manifest = Manifest(head["split_bytes"], map(_entry, rows[1:]), head.get("revision", 0))
        if seal != {"sealed": manifest.total}:
            raise ValueError(f"sealed as {seal}, but its lines make {manifest.total} splits")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ManifestError(f"{where}: damaged ({error}); start the job anew") from None
    return manifest


def pack(manifest: Manifest) -> bytes:
    """A manifest as its copies on the replicas are stored: the file's text, compressed by zlib."""
    return zlib.compress(_text(manifest), 6)


def unpack(packed: bytes) -> Manifest:
    """The inverse of ``pack``. Raises ManifestError."""
    try:
        text = zlib.decompress(packed)
    except zlib.error as error:
        raise ManifestError(f"a manifest's copy is damaged: {error}") from None
    return _parse(text, "a manifest's copy")


def write(path: Path, manifest: Manifest) -> None:
    """Replace a manifest's file, durably (wc/core/atomic_file.py)."""
    atomic_file.write(path, _text(manifest))


def read(path: Path) -> Manifest:
    """Read a manifest back. Raises ManifestError, or FileNotFoundError if there is none."""
    return _parse(path.read_bytes(), str(path))


def revision(path: Path) -> int:
    """The revision of a manifest file, from its first line. Raises as ``read`` does."""
    with path.open(encoding="utf-8") as lines:
        try:
            return int(json.loads(next(lines)).get("revision", 0))
        except (ValueError, AttributeError, StopIteration) as error:
            raise ManifestError(f"{path}: damaged ({error}); start the job anew") from None
