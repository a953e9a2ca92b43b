"""The systems that are compared, as processes: what each needs, and how one is run and timed.

Time is that of the whole process, from its start to its end, with the interpreter's start and
imports, for all alike.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.memory import Peak, sample, tree
from bench.suite.corpora import Corpus

PEERS = Path(__file__).parents[1] / "peers"
INSTALL = "pip install '.[bench]'"
LIMIT_SECONDS = 900.0
#: Of an error that is shown.
SHOWN = 160


@dataclass(frozen=True)
class Peer:
    """``script`` in bench/peers; ``module`` and ``program`` are what it needs besides us."""

    title: str
    script: str
    module: str = ""
    program: str = ""

    def missing(self) -> str:
        """What is not there that it needs; "" if nothing."""
        if self.module and importlib.util.find_spec(self.module) is None:
            return self.module
        return self.program if self.program and shutil.which(self.program) is None else ""


#: By the name that --peers takes.
ALL = {
    "labs": Peer("labs' way: ZINCRBY per word", "labs_redis", program="redis-server"),
    "counter": Peer("multiprocessing + Counter", "pool_counter"),
    "kernel": Peer("multiprocessing + kernel", "pool_kernel", "wc.counts._kernel"),
    "duckdb": Peer("DuckDB", "duckdb_words", "duckdb"),
    "polars": Peer("polars", "polars_words", "polars"),
    "dask": Peer("Dask bag", "dask_words", "dask"),
    "ray": Peer("Ray", "ray_words", "ray"),
    "spark": Peer("PySpark", "spark_words", "pyspark", "java"),
}
PLAIN = Peer("plain script, one process", "plain_script")


@dataclass
class Ran:
    """One run. ``memory`` in bytes, of all processes at their peak, and ``redis`` what its servers
    kept afterwards, 0 if not looked at; ``error`` says why there is no answer.

    ``more`` has other seconds that were taken, by what they are; ``size`` is in bytes, 0 if all of
    the corpus and nothing else was counted.
    """

    seconds: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)
    memory: int = 0
    redis: int = 0
    size: int = 0
    error: str = ""
    more: dict[str, float] = field(default_factory=dict)


def choose(names: list[str]) -> tuple[dict[str, Peer], list[str]]:
    """The peers of these names that can be run, and a line on each that cannot."""
    found, lines = {}, []
    for name in names:
        missing = ALL[name].missing()
        if not missing:
            found[name] = ALL[name]
        elif missing == "wc.counts._kernel":
            lines.append(f"{name}: not built: .venv/bin/python -m provision.build.extension")
        elif missing == ALL[name].module:
            lines.append(f"{name}: {missing} is missing: {INSTALL}")
        else:
            lines.append(f"{name}: the program {missing} is missing: install it")
    return found, lines


def run(peer: Peer, corpus: Corpus, workers: int = 2, *, memory: bool = False) -> Ran:
    """Run a peer on a corpus. A failure is an answer, too: others go on."""
    command = [sys.executable, str(PEERS / f"{peer.script}.py"), "--workers", str(workers)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ran, out = whole([*command, f"@{corpus.listing}"], memory=memory, env=environment)
    if not ran.error:
        ran.answer = json.loads(out.splitlines()[-1])
    return ran


def whole(
    command: list[str],
    *,
    memory: bool = False,
    beside: Callable[[], list[psutil.Process]] = list,
    **options: Any,
) -> tuple[Ran, str]:
    """Run a command with these options of Popen: how it went, and its standard output.

    ``memory`` is of its processes, and of those ``beside`` that serve it.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    peak = Peak()
    try:
        if memory:
            with sample(lambda: tree(process.pid) + beside()) as peak:
                out, err = process.communicate(timeout=LIMIT_SECONDS)
        else:
            out, err = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        out, err = "", f"not done after {LIMIT_SECONDS:g} s"
    finally:
        seconds = time.perf_counter() - begun
        _end(process)
    if process.returncode != 0 or not out:
        return Ran(seconds, error=" ".join(err.split())[-SHOWN:] or "no answer"), out
    return Ran(seconds, memory=peak.size), out


def _end(process: subprocess.Popen[str]) -> None:
    """End the peer and what it started, also what has a session of its own; then its session."""
    for one in tree(process.pid):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
