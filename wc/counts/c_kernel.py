"""The compiled kernel: wc/counts/native/_kernel.c behind the interface of wc/counts/kernel.py.

Importing it raises ImportError where the extension was not built. The words of a text are found in
C. Python says what a letter is and lower-cases words that are not ASCII; with errors="replace" it
also decodes the text first. Files of tweets are counted in Python alone.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from wc.counts import _kernel, python_kernel
from wc.counts.delta import DeltaError
from wc.text.tokenizers import tokenizer
from wc.text.utf8_stream import BadEncoding, decode_stream

KERNEL = "c"

#: At most one empty table, which keeps its memory (up to 16 MB) for the next text.
_spare: list[_kernel.Table] = []

#: Rows of a tally that `items` fetches at a time.
ROWS = 4096


def _table(parted: bool = False) -> _kernel.Table:
    # A random seed for each table, so that nobody can craft words that collide.
    return _kernel.Table(int.from_bytes(os.urandom(8), "little"), parted)


class _Reader(Protocol):
    """Reads one stream of UTF-8 and counts its words into a table."""

    def feed(self, piece: bytes, /) -> None: ...
    def finish(self) -> None: ...


#: The readers in C, made for a table.
_READERS: dict[str, Callable[[_kernel.Table], _Reader]] = {
    "whitespace": lambda table: table,
    "letters": _kernel.Letters,
}


def count(pieces: Iterable[bytes], tokenizer_name: str, errors: str = "strict") -> bytes:
    """See wc.counts.kernel.Kernel."""
    name = tokenizer(tokenizer_name).name
    if name not in _READERS:
        return python_kernel.count(pieces, name, errors)
    try:
        table = _spare.pop()
    except IndexError:
        table = _table()
    if errors != "strict":
        pieces = (text.encode() for text in decode_stream(pieces, errors))
    _read(_READERS[name](table), pieces)
    packed = table.drain()
    if not _spare:
        _spare.append(table)
    return packed


def _read(reader: _Reader, pieces: Iterable[bytes]) -> None:
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.finish()
    except _kernel.BadText as error:
        offset, reason = error.args
        raise BadEncoding(offset, reason) from None


class Tally:
    """See wc.counts.kernel.Tally."""

    def __init__(self) -> None:
        self._table = _table(parted=True)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def total(self) -> int:
        return self._table.total

    def add(self, *packed: bytes) -> None:
        try:
            self._table.add(*packed)
        except _kernel.BadDelta as error:
            raise DeltaError(str(error)) from None

    def subtract(self, packed: bytes) -> None:
        try:
            self._table.subtract(packed)
        except _kernel.BadDelta as error:
            raise DeltaError(str(error)) from None

    def top(self, k: int) -> list[tuple[str, int]]:
        return self._table.top(k)

    def items(self) -> Iterator[tuple[str, int]]:
        first = 0
        while True:
            first, rows = self._table.rows(first, ROWS)
            yield from rows
            if not first:
                return

    def zadds(self, key: str, sizes: Iterable[int], k: int = 0) -> Iterator[bytes]:
        ranking = self._table.ranking(k)
        first = 0
        for size in sizes:
            if 4 * first >= len(ranking):
                return
            yield self._table.zadd(key.encode(), ranking, first, size)
            first += size

    def get(self, word: str) -> int:
        return self._table.get(word)

    def pack(self) -> bytes:
        return self._table.pack()
