"""Reading small files that share a split: one file after the other, a newline after each.

So no word and no character reaches from one file into the next. Each file is checked as one by
itself is (wc/inputs/split_reader.py): its size and modification time are compared before its bytes
are read, and after.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Generator, Iterator

from wc.inputs.split_reader import PIECE_BYTES, InputChanged, require_unchanged
from wc.jobs.splits import SharedFile, SharedSplit


class SharedSplitReader(Iterator[bytes]):
    """The bytes of a shared split in pieces of about 64 KB, or of one file where that is larger.

    Iterating raises OSError if a file cannot be opened or read, and InputChanged.
    """

    def __init__(self, split: SharedSplit) -> None:
        self.path = split.files[0].path
        """The file that was read last."""
        self._files = split.files
        self._starts: list[int] = []  # where each file that was read begins in the stream
        self._pieces = self._read()

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        self._pieces.close()

    def place(self, offset: int) -> tuple[str, int]:
        """The file, and the offset in it, of a byte of the stream."""
        index = bisect_right(self._starts, offset) - 1
        return self._files[index].path, offset - self._starts[index]

    def _read(self) -> Generator[bytes, None, None]:
        contents: list[bytes] = []
        yielded = read = 0  # bytes of the stream
        for file in self._files:
            self.path = file.path
            self._starts.append(read)
            contents += (_content(file), b"\n")
            read += file.size + 1
            if read - yielded >= PIECE_BYTES:
                yield b"".join(contents)
                contents.clear()
                yielded = read
        if contents:
            yield b"".join(contents)


def _content(file: SharedFile) -> bytes:
    # A file object would cost three more system calls, a third of the cost of a small file.
    descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        require_unchanged(descriptor, file)
        data = b""
        while len(data) < file.size:
            more = os.read(descriptor, file.size - len(data))
            if not more:
                raise InputChanged(file.path, f"{file.size} bytes", f"its end at byte {len(data)}")
            data += more
        require_unchanged(descriptor, file)
        return data
    finally:
        os.close(descriptor)
