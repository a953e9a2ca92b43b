"""A few words' counts in deltas, without unpacking these.

A delta's words are in the order of their places, which are spread evenly, so a word is found close
to where its place says; only how long the words before it are must be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count as counting

from wc.counts import delta

#: Guesses from places before the rest is halved: crafted words may be anything but even.
GUESSES = 20
PLACES = 1 << 32

#: Reads bytes start..end, without the last, of a delta.
Read = Callable[[int, int], bytes]


class Lookup:
    """A running sum of deltas of some words only."""

    def __init__(self, words: Iterable[str]) -> None:
        self._counts = {word.encode(): 0 for word in words}
        self._ordered = sorted((delta.place(word), word) for word in self._counts)

    def get(self, word: str) -> int:
        """How often one of these words was counted."""
        return self._counts[word.encode()]

    def add(self, *packed: bytes) -> None:
        """Add the counts of deltas. Raises DeltaError."""
        for one in packed:
            self._change(_whole(one), 1)

    def add_parts(self, size: int, read: Read) -> None:
        """Add the counts of a delta of so many bytes, of which only a few parts are read: its
        checksum is not verified. Raises DeltaError, and then nothing was added."""
        head = delta.header(read(0, delta.HEADER_BYTES), size)
        self._change(_Words(head, read), 1)

    def subtract(self, packed: bytes) -> None:
        """Subtract a delta's counts. Raises DeltaError."""
        self._change(_whole(packed), -1)

    def _change(self, words: _Words, sign: int) -> None:
        index, before = 0, 0
        found = []
        for wanted in self._ordered:
            index = words.find(wanted, index, before)
            before = wanted[0]
            if index < words.number and words.at(index) == wanted:
                found.append((wanted[1], words.count(index)))
        for word, number in found:
            self._counts[word] += sign * number


def _whole(packed: bytes) -> _Words:
    return _Words(delta.verified(packed), lambda start, end: packed[start:end])


class _Words:
    """The words of a delta, and where in it the one is that was read last."""

    def __init__(self, head: delta.Header, read: Read) -> None:
        self.number = head.words
        self._read, self._width = read, head.count_width
        lengths = delta.HEADER_BYTES + head.words * head.count_width
        self._index, self._start = 0, lengths + head.words * head.length_width
        self._lengths = delta.numbers(read(lengths, self._start), head.length_width)

    def at(self, index: int) -> tuple[int, bytes]:
        """The place and the bytes of a word."""
        if index < self._index:
            self._start -= sum(self._lengths[index : self._index])
        else:
            self._start += sum(self._lengths[self._index : index])
        self._index = index
        word = self._read(self._start, self._start + self._lengths[index])
        return delta.place(word), word

    def count(self, index: int) -> int:
        """How often a word was counted."""
        at = delta.HEADER_BYTES + index * self._width
        return int.from_bytes(self._read(at, at + self._width), "little")

    def find(self, wanted: tuple[int, bytes], low: int, before: int) -> int:
        """The index of the first word that is not less than ``wanted``. It is ``low`` or more, and
        the word before ``low`` has the place ``before``."""
        high, behind = self.number, PLACES
        for guess in counting():
            if low == high:
                return low
            middle = low + (high - low) // 2
            if guess < GUESSES:
                middle = low + (wanted[0] - before) * (high - low) // (behind - before + 1)
            found = self.at(middle)
            if found < wanted:
                low, before = middle + 1, found[0]
            else:
                high, behind = middle, found[0]
        raise AssertionError("the rest was halved often enough")
