"""Dask bag: a partition a file, `frequencies` folded as a tree, in a pool of processes."""

from __future__ import annotations

import dask.bag
from answer import Answer, answer_of, main
from dask.multiprocessing import get


def words(path: str) -> list[str]:
    with open(path, "rb") as file:
        return file.read().decode().split()


def count(paths: list[str], workers: int) -> Answer:
    bag = dask.bag.from_sequence(paths, npartitions=min(len(paths), 1000))
    counted = bag.map(words).flatten().frequencies(split_every=8)
    return answer_of(dict(counted.compute(scheduler=get, num_workers=workers)))


if __name__ == "__main__":
    main(count)
