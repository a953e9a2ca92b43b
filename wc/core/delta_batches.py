"""Fetching many deltas with bounded memory, in batches sized by the deltas seen so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

#: A batch has about this many bytes, and at most this many deltas.
BATCH_BYTES, BATCH_DOTS = 8 << 20, 256

Fetch = Callable[[list[int]], Sequence[bytes | None]]


def batches(
    seqs: Sequence[int], fetch: Fetch, allowed: Callable[[], int] = lambda: BATCH_BYTES
) -> Iterator[list[tuple[int, bytes]]]:
    """The deltas that ``fetch`` returns for ``seqs``, as (seq, delta), in order, a batch at a time.

    The first batch is one delta. Each next one is as many as would make BATCH_BYTES if they were as
    large as the last ones, or fewer if ``allowed()`` says fewer bytes. Ends when it says 0. Dots
    without a delta are left out.
    """
    at, mean = 0, BATCH_BYTES
    while at < len(seqs) and (most := min(BATCH_BYTES, allowed())) > 0:
        size = max(1, min(BATCH_DOTS, most // mean))
        asked = list(seqs[at : at + size])
        found = [(seq, d) for seq, d in zip(asked, fetch(asked), strict=True) if d is not None]
        at += len(asked)
        if found:
            mean = max(1, sum(len(delta) for _, delta in found) // len(found))
            yield found
