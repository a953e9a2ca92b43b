"""Fetching many deltas with bounded memory: batches that follow the deltas' size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

#: A batch is about these bytes, and at most these many deltas.
BATCH_BYTES, BATCH_DOTS = 8 << 20, 256

Fetch = Callable[[list[int]], Sequence[bytes | None]]


def batches(seqs: Sequence[int], fetch: Fetch) -> Iterator[list[tuple[int, bytes]]]:
    """The deltas that ``fetch`` gives for ``seqs``, in order, a batch at a time.

    The first batch is one delta; each next one is as many as would make BATCH_BYTES if
    they were as large as the last ones. Dots without a delta are left out.
    """
    at, size = 0, 1
    while at < len(seqs):
        asked = list(seqs[at : at + size])
        found = [(seq, d) for seq, d in zip(asked, fetch(asked), strict=True) if d is not None]
        at += len(asked)
        if found:
            mean = sum(len(delta) for _, delta in found) // len(found)
            size = max(1, min(BATCH_DOTS, BATCH_BYTES // max(1, mean)))
            yield found
