"""A split: a byte range of one file, or several small files whole.

It is enqueued as one of two JSON lists. Both have the split's bytes in third place, which the Redis
functions read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from wc.core.printable import printable

#: "mark": not compressed, and what follows a byte order mark.
Compression = Literal["none", "gzip", "bzip2", "xz", "zstd", "mark"]


@dataclass(frozen=True)
class FileSplit:
    """A byte range of a file, whose size (bytes) and mtime (ns) are those of the manifest.

    All bytes of a compressed file are those of the compressed file.
    """

    path: str
    offset: int
    length: int
    size: int
    mtime_ns: int
    compression: Compression
    file_count: ClassVar[int] = 1

    def to_json(self) -> str:
        values = [self.path, self.offset, self.length, self.size, self.mtime_ns, self.compression]
        return json.dumps(values)

    def describe(self) -> str:
        return f"{printable(self.path)} bytes {self.offset} to {self.offset + self.length}"


class SharedFile(NamedTuple):
    """One of the files that share a split, read whole and not compressed."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class SharedSplit:
    """Two or more small files that are counted together."""

    files: tuple[SharedFile, ...]

    @property
    def length(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    def to_json(self) -> str:
        return json.dumps([self.files, 0, self.length])

    @property
    def file_count(self) -> int:
        return len(self.files)

    def describe(self) -> str:
        others = self.file_count - 1
        first = printable(self.files[0].path)
        return f"{first} and {others} more {'file' if others == 1 else 'files'}"


Split = FileSplit | SharedSplit


def split_from_json(text: str | bytes) -> Split:
    """The inverse of ``to_json``."""
    values = json.loads(text)
    if isinstance(values[0], str):
        return FileSplit(*values)
    return SharedSplit(tuple(SharedFile(*file) for file in values[0]))
