"""The section on kernels: from bytes to a delta in one thread, and folding deltas.

The compiled kernel, the plain one and a Counter count what is in memory, in a process each
(bench/suite/kernel_process.py); `wc -w` (in a UTF-8 locale), DuckDB and polars read the same bytes
from a file, DuckDB and polars as whole processes with one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.harness import REPOSITORY
from bench.suite import systems
from bench.suite.cases import BEFORE, Case, Table
from bench.suite.corpora import ZIPF, Corpus
from bench.suite.plan import Plan
from bench.suite.systems import SHOWN, Ran
from wc.text.tokenizers import TOKENIZERS

COMPILED, PLAIN = "compiled kernel", "plain kernel"
COUNTER, TEXT_COUNTER, WC = "Counter(bytes.split())", "Counter(text.split())", "wc -w"
KERNELS = {COMPILED: "c_kernel", PLAIN: "python_kernel"}
COUNTERS = {COUNTER: "bytes", TEXT_COUNTER: "text"}
FIRST = "just before"
FOLDING = "folding"
#: One thread is what these systems are given here.
FROM_FILES = ("duckdb", "polars")
PROCESS = Path(__file__).with_name("kernel_process.py")


def compiled(folder: Path) -> bool:
    return any((folder / "wc" / "counts").glob("_kernel.*.so"))


def kernels(plan: Plan) -> list[tuple[str, str, Path]]:
    """Those that are there: title, module, checkout."""
    checkouts = {"": REPOSITORY, **({BEFORE: plan.before} if plan.before else {})}
    return [
        (f"{prefix}{title}", module, folder)
        for prefix, folder in checkouts.items()
        for title, module in KERNELS.items()
        if module == "python_kernel" or compiled(folder)
    ]


def title(corpus: Corpus) -> str:
    return f"{corpus.size / 1e6:.3g} MB, {'Zipf' if corpus.kind == ZIPF else 'real text'}"


def counting(plan: Plan, corpus: Corpus) -> list[Case]:
    """Cases on a corpus of one file."""
    found = {
        name: lambda module=module, folder=folder: _process(folder, "count", module, corpus)
        for name, module, folder in kernels(plan)
    }
    for name, kind in COUNTERS.items():
        found[name] = lambda kind=kind: _process(REPOSITORY, "count", kind, corpus)
    found[WC] = lambda: _wc(corpus)
    for name in FROM_FILES:
        if name in plan.peers:
            peer = plan.peers[name]
            found[peer.title] = lambda peer=peer: systems.run(peer, corpus, 1)
    return [Case(name, call, corpus.size, loose=name == WC) for name, call in found.items()]


def tokenizing(plan: Plan, corpus: Corpus) -> list[Case]:
    """Cases of each tokenizer on a corpus of one file; of tweets-csv, on tweets made of it."""
    return [
        Case(
            f"{name}, {title}",
            lambda module=module, folder=folder, name=name: _process(
                folder, "count", module, corpus, name
            ),
            corpus.size,
            loose=True,
        )
        for name in TOKENIZERS
        for title, module, folder in kernels(plan)
        if folder == REPOSITORY
    ]


def folding(plan: Plan, corpus: Corpus, entries: int) -> list[Case]:
    """Cases of adding one delta to a tally that has all its words already."""
    return [
        Case(
            title,
            lambda module=module, folder=folder: _process(folder, "fold", module, corpus),
            corpus.size,
            at=entries,
        )
        for title, module, folder in kernels(plan)
    ]


def folded(table: Table) -> list[str]:
    """Nanoseconds an entry, as lines: ``at`` of these rows is the number of entries."""
    return [
        f"Folding, {row.system}: {row.median / row.at * 1e9:.0f} ns an entry "
        f"({min(row.seconds) / row.at * 1e9:.0f} to {max(row.seconds) / row.at * 1e9:.0f}), "
        f"{row.at:,.0f} entries"
        for row in table.rows
        if row.seconds
    ]


def _process(folder: Path, verb: str, what: str, corpus: Corpus, tokenizer: str = "") -> Ran:
    words = [verb, what, str(corpus.paths()[0]), *([tokenizer] if tokenizer else [])]
    done = subprocess.run(
        [sys.executable, str(PROCESS), *words],
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return Ran(error=" ".join(done.stderr.split())[-SHOWN:])
    found = json.loads(done.stdout)
    more = {FIRST: found["first"]}
    return Ran(found["seconds"], found["answer"], size=found["size"], more=more)


def _wc(corpus: Corpus) -> Ran:
    """Its words differ a little: those without a printable character do not count."""
    command = ["wc", "-w", str(corpus.paths()[0])]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return Ran(time.perf_counter() - begun, {"total": int(done.stdout.split()[0])})
