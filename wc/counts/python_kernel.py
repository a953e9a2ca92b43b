"""The kernel in plain Python, which is always available.

For speed, every loop over words runs in the interpreter's C code: `str.split`, `Counter.update`,
`dict.update`.
"""

import heapq
from collections import Counter
from collections.abc import ItemsView, Iterable, Iterator
from itertools import islice, repeat
from operator import add

from wc.counts import delta
from wc.text.tokenizers import tokenizer
from wc.text.utf8_stream import decode_stream

KERNEL = "python"


def count(pieces: Iterable[bytes], tokenizer_name: str, errors: str = "strict") -> bytes:
    """See wc.counts.kernel.Kernel."""
    words = tokenizer(tokenizer_name).start()
    counts: Counter[str] = Counter()
    for text in decode_stream(pieces, errors):
        counts.update(words.feed(text))
    counts.update(words.finish())
    return delta.pack(counts)


def _bulk(text: str) -> bytes:
    data = text.encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


class Tally:
    """See wc.counts.kernel.Tally."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def total(self) -> int:
        return self._total

    def add(self, *packed: bytes) -> None:
        have = self._counts
        for more in [delta.unpack(one) for one in packed]:
            sums = map(add, more.values(), map(have.get, more, repeat(0)))
            have.update(zip(more, sums, strict=True))
            self._total += sum(more.values())

    def subtract(self, packed: bytes) -> None:
        less = delta.unpack(packed)
        have = self._counts
        for word, number in less.items():
            if have.get(word, 0) < number:
                raise ValueError(
                    f"cannot take {number} of {word[:80]!r} away: only {have.get(word, 0)} counted"
                )
        for word, number in less.items():
            if have[word] == number:
                del have[word]
            else:
                have[word] -= number
        self._total -= sum(less.values())

    def top(self, k: int) -> list[tuple[str, int]]:
        if k < 0:
            raise ValueError(f"top {k}: 0 (for all words) or more expected")
        # Code points order strings just as UTF-8 orders their bytes.
        pairs = ((number, word) for word, number in self._counts.items())
        best = heapq.nlargest(k, pairs) if k else sorted(pairs, reverse=True)
        return [(word, number) for number, word in best]

    def items(self) -> ItemsView[str, int]:
        return self._counts.items()

    def zadds(self, key: str, sizes: Iterable[int], k: int = 0) -> Iterator[bytes]:
        ranking = iter(self.top(k))
        for size in sizes:
            if not (some := list(islice(ranking, size))):
                return
            parts = ["ZADD", key]
            for word, number in some:
                parts += (str(number), word)
            yield b"".join([b"*%d\r\n" % len(parts), *map(_bulk, parts)])

    def get(self, word: str) -> int:
        return self._counts.get(word, 0)

    def pack(self) -> bytes:
        return delta.pack(self._counts)
