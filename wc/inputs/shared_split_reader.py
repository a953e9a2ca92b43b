"""The bytes of small files that share a split: one file after the other, a line's end after each.

So no word and no character reaches from one file into the next. Each file is checked as one by
itself is (wc/inputs/split_reader.py): its size and modification time are
compared before its bytes are read, and after.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence

from wc.inputs.split_reader import PIECE_BYTES, InputChanged, require_unchanged
from wc.jobs.splits import Part


class Together(Iterator[bytes]):
    """Pieces of about 64 KB, or one file where that is larger.

    Iterating raises OSError if a file cannot be opened or read, and InputChanged.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.path = parts[0].path
        """The file that was read last."""
        self._parts = parts
        self._starts: list[int] = []  # where each file that was read begins in the stream
        self._pieces = self._read()

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()

    def place(self, offset: int) -> tuple[str, int]:
        """Which file, and which byte of it, a byte of the stream is."""
        index = bisect_right(self._starts, offset) - 1
        return self._parts[index].path, offset - self._starts[index]

    def _read(self) -> Generator[bytes, None, None]:
        held: list[bytes] = []
        begun = read = 0
        for part in self._parts:
            self.path = part.path
            self._starts.append(read)
            held += (_content(part), b"\n")
            read += part.size + 1
            if read - begun >= PIECE_BYTES:
                yield b"".join(held)
                held.clear()
                begun = read
        if held:
            yield b"".join(held)


def _content(part: Part) -> bytes:
    # A file object would cost three system calls more, which is a third of what a small file costs.
    file = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        require_unchanged(file, part.path, part.size, part.mtime_ns)
        data = b""
        while len(data) < part.size:
            more = os.read(file, part.size - len(data))
            if not more:
                raise InputChanged(part.path, f"{part.size} bytes", f"its end at byte {len(data)}")
            data += more
        require_unchanged(file, part.path, part.size, part.mtime_ns)
        return data
    finally:
        os.close(file)
