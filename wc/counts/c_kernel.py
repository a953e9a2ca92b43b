"""The compiled kernel: wc/counts/native/_kernel.c behind the interface of wc/counts/kernel.py.

Importing it raises ImportError where the extension was not built. Words between white space are
found in C. Of `letters` C finds runs of letters and wide characters, and Python cuts those that are
not ASCII into words, each distinct one once. The words of `tweets-csv` are found in Python; with
errors="replace" the text is decoded there first.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from wc.counts import _kernel
from wc.counts.delta import DeltaError
from wc.text.tokenizers import tokenizer
from wc.text.utf8_stream import BadEncoding, decode_stream
from wc.text.word_limit import LONGEST_WORD, WordTooLong, is_too_long

KERNEL = "c"

#: At most one empty table, which keeps its memory (up to 16 MB) for the next text.
_spare: list[_kernel.Table] = []

#: Rows of a table that are fetched at a time.
ROWS = 4096

#: Bytes that the runs that are not ASCII may take before they are cut into words, so that a word
#: that is too long is noticed soon after it was read.
WIDE_BYTES = LONGEST_WORD


def _table() -> _kernel.Table:
    # Random, so that nobody can foresee the hash of a table that crafted words were counted in.
    return _kernel.Table(int.from_bytes(os.urandom(8), "little"))


def count(pieces: Iterable[bytes], tokenizer_name: str, errors: str = "strict") -> bytes:
    """See wc.counts.kernel.Kernel."""
    words = tokenizer(tokenizer_name)
    try:
        table = _spare.pop()
    except IndexError:
        table = _table()
    if words.name in _IN_C:
        if errors != "strict":
            pieces = (text.encode() for text in decode_stream(pieces, errors))
        try:
            _IN_C[words.name](table, pieces)
        except _kernel.BadText as error:
            raise _bad_encoding(*error.args) from None
        except _kernel.LongWord:
            raise WordTooLong from None
    else:
        stream = words.start()
        for text in decode_stream(pieces, errors):
            table.count(stream.feed(text))
        table.count(stream.finish())
    packed = table.pack()
    table.clear()
    if not _spare:
        _spare.append(table)
    return packed


def _count_spaced(table: _kernel.Table, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        table.feed(piece)
    table.finish()


def _count_letters(table: _kernel.Table, pieces: Iterable[bytes]) -> None:
    wide = _table()
    for piece in pieces:
        table.feed(piece, wide)
        if wide.memory > WIDE_BYTES:
            _cut_runs(table, wide)
            wide = _table()
    table.finish(wide)
    _cut_runs(table, wide)


def _cut_runs(table: _kernel.Table, wide: _kernel.Table) -> None:
    """Count the words of runs that are not ASCII, as often as each run was counted."""
    first = 0
    while True:
        first, rows = wide.rows(first, ROWS)
        rows.sort(key=itemgetter(1))
        for times, same in groupby(rows, itemgetter(1)):
            stream = tokenizer("letters").start()
            words = stream.feed("\n".join([run for run, _ in same])) + stream.finish()
            if wide.memory > LONGEST_WORD and any(is_too_long(word) for word in words):
                raise WordTooLong
            table.count(words, times)
        if not first:
            return


#: How the words of a tokenizer are counted that are found in C.
_IN_C: dict[str, Callable[[_kernel.Table, Iterable[bytes]], None]] = {
    "whitespace": _count_spaced,
    "letters": _count_letters,
}


def _bad_encoding(offset: int, ill_formed: bytes) -> BadEncoding:
    """The error for a stream that cannot be decoded from this offset on."""
    try:
        ill_formed.decode()
    except UnicodeDecodeError as error:
        return BadEncoding(offset, error.reason)
    raise AssertionError(f"UTF-8 was refused: {ill_formed!r}")


class Tally:
    """See wc.counts.kernel.Tally."""

    def __init__(self) -> None:
        self._table = _table()

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

    def first(self, k: int) -> "Tally":
        found = Tally()
        for times, same in groupby(self._table.top(k), itemgetter(1)):
            found._table.count([word for word, _ in same], times)
        return found

    def items(self) -> Iterator[tuple[str, int]]:
        first = 0
        while True:
            first, rows = self._table.rows(first, ROWS)
            yield from rows
            if not first:
                return

    def get(self, word: str) -> int:
        return self._table.get(word)

    def pack(self) -> bytes:
        return self._table.pack()
