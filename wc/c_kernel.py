"""The compiled kernel: wc/_kernel.c behind the interface of wc/counting.py.

ImportError where the extension was not built; then there is the kernel in plain Python. Whitespace
words of well-formed text are found in C. The other tokenizers find theirs in Python (regular
expressions, a CSV parser), and "replace" decodes there; what they find is counted here.
"""

import os
from collections.abc import Iterable, Iterator

from wc import _kernel
from wc.decoding import BadEncoding, decoded
from wc.delta import DeltaError
from wc.tokenizers import tokenizer

KERNEL = "c"

#: An empty table with memory for as many words as the last text had, if that is little.
_spare: list[_kernel.Table] = []

#: Rows of a tally that are made at a time.
ROWS = 4096


def _table() -> _kernel.Table:
    # A seed of its own for each table: nobody can prepare words that collide.
    return _kernel.Table(seed=int.from_bytes(os.urandom(8), "little"))


def count(pieces: Iterable[bytes], tokenizer_name: str, errors: str = "strict") -> bytes:
    """See wc.counting.Kernel."""
    words = tokenizer(tokenizer_name).start()
    try:
        table = _spare.pop()
    except IndexError:
        table = _table()
    if tokenizer_name == "whitespace":
        _count_text(table, pieces, errors)
    else:
        for text in decoded(pieces, errors):
            table.add_words(words.feed(text))
        table.add_words(words.finish())
    packed = table.drain()
    if not _spare:
        _spare.append(table)
    return packed


def _count_text(table: _kernel.Table, pieces: Iterable[bytes], errors: str) -> None:
    if errors != "strict":
        pieces = (text.encode() for text in decoded(pieces, errors))
    try:
        for piece in pieces:
            table.feed(piece)
        table.finish()
    except _kernel.BadText as error:
        offset, reason = error.args
        raise BadEncoding(offset, reason) from None


class Tally:
    """See wc.counting.TallyKernel."""

    def __init__(self) -> None:
        self._table = _table()

    def __len__(self) -> int:
        return len(self._table)

    @property
    def total(self) -> int:
        """Tokens counted: the sum of all counts."""
        return self._table.total

    def add(self, packed: bytes) -> None:
        """Add the counts of a delta; raises DeltaError, and then nothing has changed."""
        try:
            self._table.add(packed)
        except _kernel.BadDelta as error:
            raise DeltaError(str(error)) from None

    def subtract(self, packed: bytes) -> None:
        """Take the counts of a delta away; a word that reaches 0 is gone.

        Raises DeltaError, or ValueError if a count would be negative; then nothing has changed.
        """
        try:
            self._table.subtract(packed)
        except _kernel.BadDelta as error:
            raise DeltaError(str(error)) from None

    def top(self, k: int) -> list[tuple[str, int]]:
        """The k most frequent words, 0 for all, in ZREVRANGE's order: count, then bytes, down."""
        return self._table.top(k)

    def items(self) -> Iterator[tuple[str, int]]:
        """All (word, count) pairs, in no particular order."""
        first = 0
        while True:
            first, rows = self._table.rows(first, ROWS)
            yield from rows
            if not first:
                return

    def zadds(self, key: str, most: int) -> Iterator[bytes]:
        """See wc.counting.TallyKernel."""
        ranking = self._table.ranking()
        for first in range(0, len(self), most):
            yield self._table.zadd(key.encode(), ranking, first, most)

    def get(self, word: str) -> int:
        """How often `word` was counted; 0 if never."""
        return self._table.get(word)

    def pack(self) -> bytes:
        """All counts as one delta."""
        return self._table.pack()
