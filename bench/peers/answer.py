"""The command line that all peers share: files in, one JSON line out.

    python bench/peers/duckdb_words.py --workers 2 FILE... @LISTING...

A LISTING names one file a line. The line that comes out holds the `distinct` words, the `total` of
their counts, and a `digest` of the 1,000 most frequent (by count, then by UTF-8 bytes, both
descending). Answers that are equal in all three are taken for equal counts. Every system
computes them cheaply, so none is charged for handing over millions of words.
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
    """A peer's result."""

    distinct: int
    total: int
    digest: str


def answer(distinct: int, total: int, top: Iterable[Any]) -> Answer:
    """The answer for the TOP most frequent (word, count) pairs, in any order."""
    rows = sorted(((int(count), str(word)) for word, count in top), reverse=True)
    return Answer(
        int(distinct), int(total), hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    )


def answer_of(counts: Mapping[str, int]) -> Answer:
    """The answer for all counts. Comparing str orders words as their UTF-8 bytes."""
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
