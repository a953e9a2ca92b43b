"""Dealing a job's files to origins, about the same bytes to each; and deciding whether small files
share splits. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

#: A file as `python -m wc plan` gives it; its size in bytes stands second, its compression fourth.
Row = list[Any]
SIZE, COMPRESSION = 1, 3
#: If an origin gets this many files at once, up to FILES_PER_SPLIT small ones share a split. With
#: fewer files each has a split of its own: that costs half a second at most, and each fails alone.
MANY, FILES_PER_SPLIT = 2000, 64


def files_per_split(rows: Sequence[Row]) -> int:
    """How many of the files that are added to an origin may share a split; 1 means none."""
    return FILES_PER_SPLIT if len(rows) >= MANY else 1


def deal(files: Sequence[Row], origins: Sequence[str]) -> dict[str, list[Row]]:
    """Longest processing time first: each file, largest first, to the origin with the least.

    Within an origin the files keep their order. (Graham, Bounds on multiprocessing timing
    anomalies, 1969: at most 4/3 of the best possible.)
    """
    loads = [(0, 0, index) for index in range(len(origins))]  # bytes, files, origin
    owner: dict[int, int] = {}
    for number in sorted(range(len(files)), key=lambda n: (-files[n][SIZE], n)):
        load, count, index = heapq.heappop(loads)
        owner[number] = index
        heapq.heappush(loads, (load + files[number][SIZE], count + 1, index))
    shares: dict[str, list[Row]] = {origin: [] for origin in origins}
    for number, row in enumerate(files):
        shares[origins[owner[number]]].append(row)
    return shares
