"""A split as a worker sees it: a byte range of one file, or several small files whole.

What is enqueued is one of two JSON lists. Both have the split's bytes in third place, which the
Redis functions read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

Compression = Literal["none", "gzip"]


@dataclass(frozen=True)
class Task:
    """A byte range of a file. Size in bytes, mtime in nanoseconds: those that were planned."""

    path: str
    offset: int
    length: int
    size: int
    mtime_ns: int
    compression: Compression
    files: ClassVar[int] = 1

    def to_json(self) -> str:
        values = [self.path, self.offset, self.length, self.size, self.mtime_ns, self.compression]
        return json.dumps(values)

    def describe(self) -> str:
        return f"{self.path} bytes {self.offset} to {self.offset + self.length}"


class Part(NamedTuple):
    """One of the files that share a split, whole and not compressed."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class SharedTask:
    """Two or more small files that are counted together."""

    parts: tuple[Part, ...]

    @property
    def length(self) -> int:
        """Bytes of all files together."""
        return sum(part.size for part in self.parts)

    def to_json(self) -> str:
        return json.dumps([self.parts, 0, self.length])

    @property
    def files(self) -> int:
        return len(self.parts)

    def describe(self) -> str:
        others = self.files - 1
        return f"{self.parts[0].path} and {others} more {'file' if others == 1 else 'files'}"


AnyTask = Task | SharedTask


def task_from_json(text: str | bytes) -> AnyTask:
    """The inverse of ``to_json``."""
    values = json.loads(text)
    if isinstance(values[0], str):
        return Task(*values)
    return SharedTask(tuple(Part(*part) for part in values[0]))
