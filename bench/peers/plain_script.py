"""A plain script: opens one file after the other, and counts with a Counter."""

from __future__ import annotations

from collections import Counter

from answer import Answer, answer_of, main


def count(paths: list[str], _workers: int) -> Answer:
    counts: Counter[str] = Counter()
    for path in paths:
        with open(path, "rb") as file:
            counts.update(file.read().decode().split())
    return answer_of(counts)


if __name__ == "__main__":
    main(count)
