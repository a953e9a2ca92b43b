"""How a file's text is stored, told by its first bytes, whatever its name says.

Compressed files are read as what they hold. What is not UTF-8 and says so is refused, with what to
do: a converted copy is text for every other program, too.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable
from io import BufferedIOBase, FileIO

from wc.jobs.splits import Compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: As many bytes tell all of these apart.
HEAD_BYTES = 10
#: The UTF-8 of a byte order mark.
MARK = b"\xef\xbb\xbf"

_STARTS: tuple[tuple[re.Pattern[bytes], Compression], ...] = (
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd"),
    (re.compile(MARK), "mark"),
)
_REFUSALS = (
    (
        re.compile(rb"PK(\x03\x04|\x05\x06)"),
        "is a zip archive: unpack it, and count what was in it",
    ),
    (re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"), "UTF-32"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "UTF-16"),
)

#: The first bytes of all of these, as most files are none of them.
_FIRST = frozenset(b"\x1fB\xfd\x28\xefP\xff\x00\xfe")

#: What reads each kind of compressed file.
OPEN: dict[Compression, Callable[[FileIO], BufferedIOBase]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zstd": zstd.ZstdFile,
}
#: What they raise for damaged content.
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError)


def head(path: str) -> bytes:
    """The first bytes of a file. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, HEAD_BYTES)
    finally:
        os.close(file)


def is_plain(first: bytes) -> bool:
    """Whether a file that begins so is told to be no other than text; quickly."""
    return not first or first[0] not in _FIRST


def compression(first: bytes) -> Compression:
    """How a file that begins so is stored; "mark" if it is text behind a byte order mark."""
    return next((kind for start, kind in _STARTS if start.match(first)), "none")


def refusal(first: bytes, path: str) -> str:
    """Why a file that begins so is not counted, and what to do; or ""."""
    for start, what in _REFUSALS:
        if start.match(first):
            convert = f"iconv -f {what} -t UTF-8 {path} > {path}.utf-8"
            return f"is {what}, not UTF-8; convert it: {convert}" if what[:3] == "UTF" else what
    return ""
