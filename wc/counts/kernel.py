"""Counting and folding: the interface of all kernels, and the choice of one.

A kernel turns a stream of bytes into a delta (`count`) and adds deltas up (`Tally`). A delta has
one encoding, so all kernels produce the same bytes, and hosts with different kernels may share a
job. Callers import from here only.
"""

import importlib
import os
from collections.abc import Callable, Iterable
from typing import Protocol

from wc.counts import python_kernel
from wc.counts.delta import DeltaError
from wc.text.tweets_csv import BadRecord
from wc.text.utf8_stream import BadEncoding
from wc.text.word_limit import WordTooLong

__all__ = [
    "KERNEL",
    "BadEncoding",
    "BadRecord",
    "DeltaError",
    "Tally",
    "WordTooLong",
    "count",
    "new_tally",
]


class Tally(Protocol):
    """A running sum of deltas."""

    def add(self, *packed: bytes) -> None:
        """Add the counts of deltas. Ten large ones in one call take less time than ten calls.

        Raises DeltaError, and then nothing has changed.
        """

    def subtract(self, packed: bytes, /) -> None:
        """Subtract a delta's counts. A word whose count becomes 0 is removed.

        Raises DeltaError, or ValueError if a count would become negative; then nothing has changed.
        """

    def top(self, k: int, /) -> list[tuple[str, int]]:
        """The k most frequent words, 0 for all, as ZREVRANGE orders them: by count, then by the
        word's UTF-8 bytes, both descending. Raises ValueError for a negative k."""

    def first(self, k: int, /) -> "Tally":
        """A tally of the k most frequent words alone, 0 for all."""

    def items(self) -> Iterable[tuple[str, int]]:
        """All (word, count) pairs, unordered. The tally must not change or be packed meanwhile."""

    def get(self, word: str, /) -> int:
        """How often `word` was counted; 0 if never."""

    def __len__(self) -> int:
        """Distinct words."""

    @property
    def total(self) -> int:
        """Tokens: the sum of all counts."""

    def pack(self) -> bytes:
        """All counts as one delta."""


NewTally = Callable[[], Tally]


class Kernel(Protocol):
    """What a module must have to be a kernel."""

    KERNEL: str
    """The kernel's name, for people."""

    @property
    def Tally(self) -> NewTally:  # noqa: N802  # a class
        """Makes an empty tally."""

    def count(self, pieces: Iterable[bytes], tokenizer: str, errors: str = "strict", /) -> bytes:
        """The delta of the words in `pieces`: UTF-8, cut anywhere.

        Memory is bounded by the largest piece, the distinct words and the longest word (tweets-csv:
        record; letters: run without an ASCII character that is no letter). errors: "strict" or
        "replace", as in Python. Raises BadEncoding, WordTooLong, BadRecord (tweets-csv), ValueError
        for an unknown tokenizer, and what iterating over `pieces` raises.
        """


def _load() -> Kernel:
    """The compiled kernel where it is installed; FAULTLINE_KERNEL=python asks for Python's."""
    if os.environ.get("FAULTLINE_KERNEL") == "python":
        return python_kernel
    try:
        return importlib.import_module("wc.counts.c_kernel")
    except ImportError:
        return python_kernel


_kernel = _load()
KERNEL, count, new_tally = _kernel.KERNEL, _kernel.count, _kernel.Tally
