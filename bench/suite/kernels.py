"""The section on kernels: from bytes to a delta in one thread, folding, and the memory it takes.

The compiled kernel, the plain one and `Counter(bytes.split())` count bytes that are in memory;
`wc -w` (in a UTF-8 locale), DuckDB and polars read the same bytes from a file, DuckDB and polars
as whole processes with one thread.

What runs in this process runs twice, and the second time is taken. Between two of its turns others
run for seconds, and a virtual machine's host may meanwhile have taken free memory back: a page of
2 MiB that the host must find first took 1.4 ms where these figures were first seen, else 0.2, and
that is neither the kernel's doing nor the dictionary's. The first time is shown beside.
"""

from __future__ import annotations

import heapq
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.peers.answer import TOP, answer
from bench.suite import systems
from bench.suite.cases import Case, Table
from bench.suite.corpora import ZIPF, Corpus
from bench.suite.systems import Peer, Ran
from wc.counts import delta, python_kernel
from wc.text.tokenizers import TOKENIZERS

PIECE_BYTES = 1 << 16
COMPILED, PLAIN = "compiled kernel", "plain kernel"
COLUMNS = (
    "tweet_id",
    "author_id",
    "inbound",
    "created_at",
    "text",
    "response_tweet_id",
    "in_response_to_tweet_id",
)
COUNTER, WC = "Counter(bytes.split())", "wc -w"
FIRST = "just before"
#: One thread is what these systems are given here.
FROM_FILES = ("duckdb", "polars")
MEASURE = Path(__file__).with_name("kernel_memory.py")


def kernels() -> dict[str, Any]:
    """Those that are there, by title."""
    found = {PLAIN: python_kernel}
    try:
        from wc.counts import c_kernel
    except ImportError:
        return found
    return {COMPILED: c_kernel, **found}


def title(corpus: Corpus) -> str:
    return f"{corpus.size / 1e6:.3g} MB, {'Zipf' if corpus.kind == ZIPF else 'real text'}"


def cases(corpus: Corpus, peers: dict[str, Peer]) -> list[Case]:
    """Cases on a corpus of one file."""
    data = corpus.paths()[0].read_bytes()
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    found = {
        name: lambda kernel=kernel: _kernel(kernel, pieces) for name, kernel in kernels().items()
    }
    found[COUNTER] = lambda: _counter(data)
    found[WC] = lambda: _wc(corpus)
    for name in FROM_FILES:
        if name in peers:
            peer = peers[name]
            found[peer.title] = lambda peer=peer: systems.run(peer, corpus, 1)
    size = corpus.size
    return [Case(name, call, size, loose=name == WC) for name, call in found.items()]


def tokenizing(corpus: Corpus) -> list[Case]:
    """Cases of each tokenizer on a corpus of one file; of tweets-csv, on tweets made of it."""
    data = corpus.paths()[0].read_bytes()
    texts = {name: _tweets(data) if name == "tweets-csv" else data for name in TOKENIZERS}
    found = []
    for name, text in texts.items():
        pieces = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
        for title, kernel in kernels().items():
            call = lambda kernel=kernel, pieces=pieces, name=name: _kernel(kernel, pieces, name)  # noqa: E731
            found.append(Case(f"{name}, {title}", call, len(text), loose=True))
    return found


def _tweets(data: bytes) -> bytes:
    """A file of tweets with the words of a text, some 140 bytes each."""
    words = data.decode(errors="ignore").replace('"', '""').split()
    rows = [" ".join(words[at : at + 20]) for at in range(0, len(words), 20)]
    lines = [",".join(COLUMNS)]
    lines += [f'{n},{n % 997},True,2017-10-31 22:10:47,"{row}",,' for n, row in enumerate(rows)]
    return "\n".join(lines).encode() + b"\n"


def folding(corpus: Corpus) -> list[Case]:
    """Cases of adding one delta to a tally that has all its words already."""
    pieces = [corpus.paths()[0].read_bytes()]
    found = []
    for name, kernel in kernels().items():
        packed = kernel.count(pieces, "whitespace")
        tally = kernel.Tally()
        tally.add(packed)
        call = lambda tally=tally, packed=packed: Ran(_seconds(lambda: tally.add(packed))[0])  # noqa: E731
        found.append(Case(name, call, size=len(packed), at=len(tally)))
    return found


def memory(corpus: Corpus) -> Ran:
    """How far a process grows from before the compiled kernel's count to its delta."""
    command = [sys.executable, str(MEASURE), str(corpus.paths()[0]), str(PIECE_BYTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Ran(error=" ".join(done.stderr.split())[-systems.SHOWN :])
    grown, distinct, seconds = done.stdout.split()
    return Ran(float(seconds), {"distinct": int(distinct)}, int(grown))


def folded(table: Table) -> list[str]:
    """Nanoseconds an entry, as lines: ``at`` of these rows is the number of entries."""
    return [
        f"Folding, {row.system}: {row.median / row.at * 1e9:.0f} ns an entry "
        f"({min(row.seconds) / row.at * 1e9:.0f} to {max(row.seconds) / row.at * 1e9:.0f}), "
        f"{row.at:,.0f} entries"
        for row in table.rows
    ]


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    made = work()
    return time.perf_counter() - begun, made


def _again(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds of the first time, of the second, and what it made."""
    first = _seconds(work)[0]  # what that made is freed
    return (first, *_seconds(work))


def _kernel(kernel: Any, pieces: list[bytes], tokenizer: str = "whitespace") -> Ran:
    first, seconds, packed = _again(lambda: kernel.count(iter(pieces), tokenizer))
    return Ran(seconds, _answer(delta.unpack(packed)), more={FIRST: first})


def _counter(data: bytes) -> Ran:
    first, seconds, counts = _again(lambda: Counter(data.split()))
    answer = _answer({word.decode(): count for word, count in counts.items()})
    return Ran(seconds, answer, more={FIRST: first})


def _answer(counts: dict[str, int]) -> dict[str, Any]:
    top = heapq.nlargest(TOP, counts.items(), key=lambda row: (row[1], row[0]))
    return vars(answer(len(counts), sum(counts.values()), top))


def _wc(corpus: Corpus) -> Ran:
    """Its words differ a little: those without a printable character do not count."""
    command = ["wc", "-w", str(corpus.paths()[0])]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    seconds, done = _seconds(
        lambda: subprocess.run(command, env=environment, capture_output=True, check=True)
    )
    return Ran(seconds, {"total": int(done.stdout.split()[0])})
