"""Dealing a job's files to origins so that each gets about the same number of bytes. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

#: A file as `python -m wc plan` gives it; its size in bytes stands second.
Row = list[Any]
SIZE = 1


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
