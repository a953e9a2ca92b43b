"""multiprocessing with faultline's compiled kernel, without Redis: the ceiling.

Each process takes one file after the other and counts all of its own into one table; only that
table's delta goes to the parent, which adds the deltas up. Nothing is durable, nothing is taken
over, no file is cut.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from answer import TOP, Answer, answer, main

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wc import c_kernel

PIECE_BYTES = 1 << 16


def pieces(paths: list[str], taken: Synchronized[int]) -> Iterator[bytes]:
    """The bytes of the files that this process was first to take, a newline after each."""
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(paths):
            return
        with open(paths[number], "rb", buffering=0) as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
        yield b"\n"


def one(paths: list[str], taken: Synchronized[int], deltas: multiprocessing.SimpleQueue) -> None:
    deltas.put(c_kernel.count(pieces(paths, taken), "whitespace"))


def count(paths: list[str], workers: int) -> Answer:
    taken = multiprocessing.Value("l", 0)
    deltas: multiprocessing.SimpleQueue[bytes] = multiprocessing.SimpleQueue()
    running = [
        multiprocessing.Process(target=one, args=(paths, taken, deltas)) for _ in range(workers)
    ]
    for process in running:
        process.start()
    tally = c_kernel.Tally()
    for _ in running:
        tally.add(deltas.get())
    for process in running:
        process.join()
    return answer(len(tally), tally.total, tally.top(TOP))


if __name__ == "__main__":
    main(count)
