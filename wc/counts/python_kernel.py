"""The kernel in plain Python, which is always available.

For speed, words are bytes, and every loop over them runs in the interpreter's C code:
`bytes.split`, `Counter.update`, `dict.update`.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import repeat
from operator import add

from wc.counts import delta
from wc.text.tokenizers import Whitespace, tokenizer
from wc.text.utf8_stream import decode_stream, encoded_stream

KERNEL = "python"


def count(pieces: Iterable[bytes], tokenizer_name: str, errors: str = "strict") -> bytes:
    """See wc.counts.kernel.Kernel."""
    words = tokenizer(tokenizer_name).start()
    if tokenizer_name == "whitespace":
        separated = _count_whitespace(pieces, errors)
        return delta.pack_encoded(list(separated), list(separated.values()))
    counts: Counter[str] = Counter()
    for text in decode_stream(pieces, errors):
        counts.update(words.feed(text))
    counts.update(words.finish())
    return delta.pack(counts)


def _count_whitespace(pieces: Iterable[bytes], errors: str) -> Counter[bytes]:
    """The words of `str.split()`, without making a str of each.

    They are separated at ASCII white space first; then the distinct ones at any other.
    """
    words = Whitespace[bytes]()
    counts: Counter[bytes] = Counter()
    for piece in encoded_stream(pieces, errors):
        counts.update(words.feed(piece))
    counts.update(words.finish())
    text = b"".join(counts).decode()
    if text.split() != [text]:
        # No white space but the blank is printable; that a few other words are not does no harm.
        distinct = b" ".join(counts).decode().split(" ")
        for word in [word for word in distinct if not word.isprintable()]:
            number = counts.pop(word.encode())
            for part in word.split():
                counts[part.encode()] += number
    return counts


class Tally:
    """See wc.counts.kernel.Tally."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def total(self) -> int:
        return self._total

    def add(self, *packed: bytes) -> None:
        have = self._counts
        for words, counts in [delta.unpack_encoded(one) for one in packed]:
            sums = map(add, counts, map(have.get, words, repeat(0)))
            have.update(zip(words, sums, strict=True))
            self._total += sum(counts)

    def subtract(self, packed: bytes) -> None:
        words, counts = delta.unpack_encoded(packed)
        have = self._counts
        for word, number in zip(words, counts, strict=True):
            if have.get(word, 0) < number:
                raise ValueError(
                    f"cannot take {number} of {word.decode()[:80]!r} away: "
                    f"only {have.get(word, 0)} counted"
                )
        for word, number in zip(words, counts, strict=True):
            if have[word] == number:
                del have[word]
            else:
                have[word] -= number
        self._total -= sum(counts)

    def top(self, k: int) -> list[tuple[str, int]]:
        return [(word.decode(), number) for number, word in self._ranking(k)]

    def _ranking(self, k: int) -> list[tuple[int, bytes]]:
        if k < 0:
            raise ValueError(f"top {k}: 0 (for all words) or more expected")
        pairs = ((number, word) for word, number in self._counts.items())
        return heapq.nlargest(k, pairs) if k else sorted(pairs, reverse=True)

    def first(self, k: int) -> "Tally":
        found = Tally()
        found._counts = {word: number for number, word in self._ranking(k)}
        found._total = sum(found._counts.values())
        return found

    def items(self) -> Iterator[tuple[str, int]]:
        return zip(map(bytes.decode, self._counts), self._counts.values(), strict=True)

    def get(self, word: str) -> int:
        return self._counts.get(word.encode(), 0)

    def pack(self) -> bytes:
        return delta.pack_encoded(list(self._counts), list(self._counts.values()))
