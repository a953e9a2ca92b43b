"""What all peers have in common as commands: files in, one JSON line out.

    python bench/peers/duckdb_words.py --workers 2 FILE... @LISTING...

A LISTING names one file a line. The line that comes out holds the `distinct` words, the `total` of
their counts, and a `digest` of the 1,000 most frequent (by count, then by UTF-8 bytes, both
descending). Answers that are equal in all three may be taken for equal counts; they are cheap to
make in every system, so nobody is charged for handing millions of words over.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

TOP = 1000


@dataclass(frozen=True)
class Answer:
    """What was counted."""

    distinct: int
    total: int
    digest: str


def answer(distinct: int, total: int, top: Iterable[Any]) -> Answer:
    """``top`` are the TOP most frequent (word, count) pairs, in any order."""
    rows = sorted(((int(count), str(word)) for word, count in top), reverse=True)
    return Answer(
        int(distinct), int(total), hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    )


def answer_of(counts: Mapping[str, int]) -> Answer:
    """Of all counts. Python compares text by code points, which is the order of UTF-8 bytes."""
    top = heapq.nlargest(TOP, counts.items(), key=lambda row: (row[1], row[0]))
    return answer(len(counts), sum(counts.values()), top)


def main(count: Callable[[list[str], int], Answer]) -> None:
    """Count the files of the command line with ``count(paths, workers)``; print its answer."""
    parser = argparse.ArgumentParser(description="count words as str.split() finds them")
    parser.add_argument("--workers", type=int, default=2, help="processes or threads (2)")
    parser.add_argument("files", nargs="+", help="files, or @LISTING with one a line")
    chosen = parser.parse_args()
    paths: list[str] = []
    for name in chosen.files:
        if name.startswith("@"):
            with open(name[1:], encoding="utf-8") as listing:
                paths += listing.read().splitlines()
        else:
            paths.append(name)
    print(json.dumps(asdict(count(paths, chosen.workers))), flush=True)
