"""Reading a split's bytes from its file, which must not have changed.

Counts are a pure function of a split's bytes, so the file must still be the one in the manifest:
its size and modification time are compared before the first byte is read and after the last.
A compressed file cannot be read from the middle, so it is one split. So is a file whose tokenizer
is not splittable.
"""

import os
from collections.abc import Generator, Iterator
from io import FileIO

from wc.core.printable import printable
from wc.inputs import encodings
from wc.jobs.manifest import InputFile
from wc.jobs.splits import FileSplit, SharedFile
from wc.text.split_boundaries import approach

PIECE_BYTES = 64 * 1024


class InputChanged(OSError):
    """The file is not the one that the job was planned with any more."""

    def __init__(self, path: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{printable(path)} changed after the job was planned: expected {expected}, "
            f"found {actual}; put the file back, or count what is there now with start-job --update"
        )
        self.path = path
        self.expected = expected
        self.actual = actual


class BadInput(ValueError):
    """The file is the planned one, but its content is damaged."""


class SplitReader(Iterator[bytes]):
    """The bytes of the words that begin in a split, in order, in pieces of at most 64 KB.

    Its file is closed at the end, at an error, and by ``close``. Raises ValueError for a part of a
    file that must be read whole. Iterating raises OSError if the file cannot be opened or read,
    InputChanged, and BadInput for damage.
    """

    def __init__(self, split: FileSplit, splittable: bool) -> None:
        whole = split.compression in encodings.OPEN or not splittable
        if whole and (split.offset, split.length) != (0, split.size):
            raise ValueError(
                f"{split.path}: split [{split.offset}, {split.offset + split.length}) of a file "
                f"that must be read whole, [0, {split.size})"
            )
        self.start = 0
        """Where in the file the stream begins, once a piece was read: an offset in the stream plus
        this is one in the file. Of a compressed file both are offsets in what it
        holds."""
        self.path = split.path
        self.read = 0
        """Bytes of the stream that were read."""
        self._pieces = self._read(split, splittable)

    def place(self, offset: int) -> tuple[str, int]:
        """The file, and the offset in it, of a byte of the stream."""
        return self.path, self.start + offset

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.read += len(piece)
        return piece

    def close(self) -> None:
        self._pieces.close()

    def _read(self, split: FileSplit, splittable: bool) -> Generator[bytes, None, None]:
        with open(split.path, "rb", buffering=0) as file:
            require_unchanged(file.fileno(), split)
            if split.compression in encodings.OPEN:
                yield from _decompressed(split, file)
            else:
                yield from self._ranged(split, splittable, file)
            require_unchanged(file.fileno(), split)

    def _ranged(
        self, split: FileSplit, splittable: bool, file: FileIO
    ) -> Generator[bytes, None, None]:
        def read_at(offset: int, n: int) -> bytes:
            data = os.pread(file.fileno(), n, offset)
            if len(data) < min(n, split.size - offset):
                raise InputChanged(
                    split.path, f"{split.size} bytes", f"its end at byte {offset + len(data)}"
                )
            return data

        end = split.offset + split.length
        at, stops = split.offset, iter([end])
        if splittable:
            for at in approach(read_at, split.size, split.offset):
                if at >= end:
                    return  # no word begins in it
            stops = approach(read_at, split.size, end)
        if split.compression == "mark":
            at = max(at, len(encodings.MARK))
        self.start = at
        for stop in stops:
            while at < stop:
                piece = read_at(at, min(PIECE_BYTES, stop - at))
                at += len(piece)
                yield piece


def _decompressed(split: FileSplit, file: FileIO) -> Generator[bytes, None, None]:
    try:
        with encodings.OPEN[split.compression](file) as stream:
            while piece := stream.read(PIECE_BYTES):
                yield piece
    except OSError as error:
        # Of bzip2 an OSError without a number says that the content is damaged.
        if error.errno or isinstance(error, InputChanged):
            raise
        raise _damaged(split, file, error) from error
    except encodings.DAMAGED as error:
        raise _damaged(split, file, error) from error


def _damaged(split: FileSplit, file: FileIO, error: Exception) -> BadInput:
    require_unchanged(file.fileno(), split)  # a file that is being rewritten looks damaged, too
    return BadInput(f"{printable(split.path)}: damaged or truncated {split.compression}: {error}")


def require_unchanged(file: int | str, planned: FileSplit | SharedFile | InputFile) -> None:
    """Raise InputChanged unless the file, open or named, has the planned size and mtime."""
    now = os.stat(file)
    if (now.st_size, now.st_mtime_ns) != (planned.size, planned.mtime_ns):
        raise InputChanged(
            planned.path,
            f"{planned.size} bytes of mtime {planned.mtime_ns} ns",
            f"{now.st_size} bytes of mtime {now.st_mtime_ns} ns",
        )
