"""A process that counts one file in memory, or folds its delta, and prints the time as JSON.

    PYTHONPATH=CHECKOUT python bench/suite/kernel_process.py count|fold WHAT FILE [TOKENIZER]

WHAT is c_kernel or python_kernel of that checkout, this one or an older one, or `bytes` or `text`
for a Counter of what their split() gives. Everything is done twice, and the second time is taken:
before the first, memory is new to the process, and a virtual machine's host may have to find it: a
page of 2 MiB took 1.4 ms then, else 0.2, and that is neither the kernel's doing nor the
dictionary's. Prints "seconds", "first", "entries" (of the delta), and what bench/peers answer.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.peers.answer import TOP, answer, answer_of

PIECE_BYTES = 1 << 16
COLUMNS = (
    "tweet_id",
    "author_id",
    "inbound",
    "created_at",
    "text",
    "response_tweet_id",
    "in_response_to_tweet_id",
)


def tweets(data: bytes) -> bytes:
    """A file of tweets with the words of a text, some 140 bytes each."""
    words = data.decode(errors="ignore").replace('"', '""').split()
    rows = [" ".join(words[at : at + 20]) for at in range(0, len(words), 20)]
    lines = [",".join(COLUMNS)]
    lines += [f'{n},{n % 997},True,2017-10-31 22:10:47,"{row}",,' for n, row in enumerate(rows)]
    return "\n".join(lines).encode() + b"\n"


def twice(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """The seconds of both times, and what the second made; what the first made is freed."""
    seconds = []
    for _ in range(2):
        made, begun = None, time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - begun)
    return {"first": seconds[0], "seconds": seconds[1]}, made


def counter(kind: str, data: bytes) -> dict[str, Any]:
    text = data if kind == "bytes" else data.decode(errors="replace")
    times, counts = twice(lambda: Counter(text.split()))
    words = {word.decode() if kind == "bytes" else word: n for word, n in counts.items()}
    return {**times, "entries": len(counts), "answer": vars(answer_of(words))}


def kernel(verb: str, name: str, data: bytes, tokenizer: str) -> dict[str, Any]:
    module = importlib.import_module(f"wc.counts.{name}")
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    times, packed = twice(lambda: module.count(iter(pieces), tokenizer))
    tally = module.Tally()
    tally.add(packed)
    found = vars(answer(len(tally), tally.total, tally.top(TOP)))
    if verb == "fold":  # into a tally that has all these words already
        times, _ = twice(lambda: tally.add(packed))
    return {**times, "entries": len(tally), "answer": found}


def main() -> None:
    verb, what, path, *tokenizer = sys.argv[1:]
    data = Path(path).read_bytes()
    if tokenizer == ["tweets-csv"]:
        data = tweets(data)
    if what in ("bytes", "text"):
        found = counter(what, data)
    else:
        found = kernel(verb, what, data, *tokenizer or ["whitespace"])
    print(json.dumps({**found, "size": len(data)}))


main()
