"""multiprocessing with faultline's compiled kernel, without Redis: the ceiling.

Each process takes one file after the other and counts all of them into one table. Only that table's
delta goes to the parent, which adds the deltas up. Nothing is durable, a process that dies is not
replaced, and no file is cut.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from answer import TOP, Answer, answer, main

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wc.counts import c_kernel

PIECE_BYTES = 1 << 16


shared: Synchronized[int]


def pieces(paths: list[str], next_file: Synchronized[int]) -> Iterator[bytes]:
    """The bytes of the files that this process takes, a newline after each."""
    while True:
        with next_file.get_lock():
            number = next_file.value
            next_file.value += 1
        if number >= len(paths):
            return
        with open(paths[number], "rb", buffering=0) as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
        yield b"\n"


def share(next_file: Synchronized[int]) -> None:
    """Keep, in each process, the number of the next file that no process has taken."""
    global shared  # noqa: PLW0603
    shared = next_file


def one(paths: list[str]) -> bytes:
    return c_kernel.count(pieces(paths, shared), "whitespace")


def count(paths: list[str], workers: int) -> Answer:
    tally = c_kernel.Tally()
    next_file = multiprocessing.Value("l", 0)
    with multiprocessing.Pool(workers, share, (next_file,)) as pool:
        for packed in pool.imap_unordered(one, [paths] * workers):
            tally.add(packed)
    return answer(len(tally), tally.total, tally.top(TOP))


if __name__ == "__main__":
    main(count)
