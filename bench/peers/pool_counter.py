"""multiprocessing: a Counter for each file in a pool, added up by the parent."""

from __future__ import annotations

import multiprocessing
from collections import Counter

from answer import Answer, answer_of, main

#: Files that are handed to a process at a time, so that small ones do not cost a message each.
MOST_AT_ONCE = 64


def one(paths: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in paths:
        with open(path, "rb") as file:
            counts.update(file.read().decode().split())
    return counts


def count(paths: list[str], workers: int) -> Answer:
    step = max(1, min(MOST_AT_ONCE, len(paths) // (workers * 8)))
    parts = [paths[at : at + step] for at in range(0, len(paths), step)]
    counts: Counter[str] = Counter()
    with multiprocessing.Pool(workers) as pool:
        for part in pool.imap_unordered(one, parts):
            counts.update(part)
    return answer_of(counts)


if __name__ == "__main__":
    main(count)
