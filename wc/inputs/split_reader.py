"""A split's bytes, streamed, from the very file that was planned.

Counts are a pure function of a split's bytes, so the file must still be the one in the manifest:
its size and modification time are compared before the first byte is read and after the last.
A gzip file cannot be entered in the middle; it is one split, read whole. So is a file whose
tokenizer says that it is not splittable.
"""

import gzip
import os
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from io import FileIO
from typing import Literal

from wc.text.split_boundaries import region

PIECE_BYTES = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """A split of a file. Bytes and nanoseconds; for gzip, those of the compressed file."""

    path: str
    offset: int
    length: int
    size: int
    mtime_ns: int
    compression: Literal["none", "gzip"]


class InputChanged(OSError):
    """The file is no longer the one that the job was planned with."""

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(
            f"{path} changed after the job was planned: expected {expected}, found {found}; "
            "put the file back, or count what is there now with start-job --update"
        )
        self.path = path
        self.expected = expected
        self.found = found


class BadInput(ValueError):
    """The file is the planned one, but cannot be read as what it claims to be."""


class Pieces(Iterator[bytes]):
    """Non-empty pieces of at most 64 KB. Closes its file at the end, at an error, or by close()."""

    def __init__(self, source: Source, splittable: bool) -> None:
        self.start = 0
        """Where in the file the first piece begins, once it was read. Add it to an offset in the
        stream to get one in the file. Of a gzip file: in its uncompressed content."""
        self.path = source.path
        self._pieces = _read(self, source, splittable)

    def place(self, offset: int) -> tuple[str, int]:
        """Which file, and which byte of it, a byte of the stream is."""
        return self.path, self.start + offset

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()


def open_pieces(source: Source, splittable: bool) -> Pieces:
    """The bytes of the words that begin in the split, in order.

    Iterating raises OSError if the file cannot be opened or read, InputChanged, BadInput for
    damaged gzip, ValueError for a part of a file that has to be read whole.
    """
    whole = source.compression == "gzip" or not splittable
    if whole and (source.offset, source.length) != (0, source.size):
        raise ValueError(
            f"{source.path}: split [{source.offset}, {source.offset + source.length}) of a file "
            f"that must be read whole, [0, {source.size})"
        )
    return Pieces(source, splittable)


def is_gzip(path: str) -> bool:
    """Whether the file begins as gzip does, whatever its name says."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, len(GZIP_MAGIC)) == GZIP_MAGIC
    finally:
        os.close(file)


def _read(pieces: Pieces, source: Source, splittable: bool) -> Generator[bytes, None, None]:
    with open(source.path, "rb", buffering=0) as file:
        _require_unchanged(source, file)
        if source.compression == "gzip":
            yield from _inflated(source, file)
        else:
            yield from _ranged(pieces, source, splittable, file)
        _require_unchanged(source, file)


def _ranged(
    pieces: Pieces, source: Source, splittable: bool, file: FileIO
) -> Generator[bytes, None, None]:
    def read_at(offset: int, n: int) -> bytes:
        data = os.pread(file.fileno(), n, offset)
        if len(data) < min(n, source.size - offset):
            raise InputChanged(
                source.path, f"{source.size} bytes", f"its end at byte {offset + len(data)}"
            )
        return data

    at, stop = 0, source.size
    if splittable:
        at, stop = region(read_at, source.size, source.offset, source.length)
    pieces.start = at
    while at < stop:
        piece = read_at(at, min(PIECE_BYTES, stop - at))
        at += len(piece)
        yield piece


def _inflated(source: Source, file: FileIO) -> Generator[bytes, None, None]:
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        _require_unchanged(source, file)  # a file that is being rewritten looks damaged, too
        raise BadInput(f"{source.path}: damaged or truncated gzip: {error}") from error


def _require_unchanged(source: Source, file: FileIO) -> None:
    require_unchanged(file.fileno(), source.path, source.size, source.mtime_ns)


def require_unchanged(file: int | str, path: str, size: int, mtime_ns: int) -> None:
    """Raise InputChanged unless the file, open or named, has this size and modification time."""
    found = os.stat(file)
    if (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
        raise InputChanged(
            path,
            f"{size} bytes of mtime {mtime_ns} ns",
            f"{found.st_size} bytes of mtime {found.st_mtime_ns} ns",
        )
