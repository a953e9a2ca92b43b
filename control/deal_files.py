"""Dealing a job's files to origins so that each gets about the same number of bytes, and telling
where small ones are so many that they are to share splits. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

#: A file as `python -m wc plan` gives it; its size in bytes stands second.
Row = list[Any]
SIZE = 1
#: With this many files added to an origin at once, small ones share splits, this many at most. With
#: fewer each has its own, which takes half a second at most and lets each fail by itself.
MANY, TOGETHER = 2000, 64


def share(rows: Sequence[Row]) -> int:
    """How many of the files that are added to an origin may share a split; 1: none."""
    return TOGETHER if len(rows) >= MANY else 1


def deal(files: Sequence[Row], origins: Sequence[str]) -> dict[str, list[Row]]:
    """Longest processing time first: each file, largest first, to the origin with the least.

    Within an origin the files keep their order. (Graham, Bounds on multiprocessing timing
    anomalies, 1969: at most 4/3 of the best possible.)
    """
    loads = [(0, 0, index) for index in range(len(origins))]  # bytes, files, origin
    owner: dict[int, int] = {}
    for number in sorted(range(len(files)), key=lambda n: (-files[n][SIZE], n)):
        load, held, index = heapq.heappop(loads)
        owner[number] = index
        heapq.heappush(loads, (load + files[number][SIZE], held + 1, index))
    shares: dict[str, list[Row]] = {origin: [] for origin in origins}
    for number, row in enumerate(files):
        shares[origins[owner[number]]].append(row)
    return shares
