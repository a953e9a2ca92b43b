"""A process that counts one file with the compiled kernel, and says by how much it grew.

    python bench/suite/kernel_memory.py FILE PIECE_BYTES

Prints three numbers: bytes (the greatest resident size while counting, with the delta that comes
out, less what was resident before), distinct words, seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from wc.counts import c_kernel

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(key: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def pieces(path: str, size: int) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(size):
            yield piece


def main() -> None:
    path, size = sys.argv[1], int(sys.argv[2])
    c_kernel.count([b"one two"], "whitespace")  # what is imported late is not its memory
    CLEAR.write_text("5")  # the peak begins anew
    before, begun = resident("VmRSS"), time.perf_counter()
    packed = c_kernel.count(pieces(path, size), "whitespace")
    seconds, peak = time.perf_counter() - begun, resident("VmHWM")
    tally = c_kernel.Tally()
    tally.add(packed)
    print(max(0, peak - before), len(tally), seconds)


main()
