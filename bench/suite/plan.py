"""What a run of bench/run was asked for, and how its sections make cases of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.suite import systems
from bench.suite.cases import Case, Table, measure
from bench.suite.corpora import REAL, Corpus, corpus
from bench.suite.jobs import Jobs
from bench.suite.systems import Peer

MB = 1_000_000
#: In the section about workers: the ceiling, and the two that come nearest.
NEAR = ("kernel", "duckdb", "polars")


@dataclass
class Plan:
    """``total`` is in bytes; ``before`` an older checkout that is measured too, if any."""

    total: int
    runs: int
    slow_runs: int
    peers: dict[str, Peer]
    say: Callable[[str], None]
    before: Path | None = None
    notes: list[str] = field(default_factory=list)

    def corpus(self, files: int, size: int, kind: str = REAL, words: int = 0) -> Corpus:
        found = corpus(files, size, self.say, kind=kind, words=words)
        found.warm()
        return found

    def measure(self, title: str, cases: list[Case], axis: str = "") -> Table:
        return measure(title, cases, self.runs, self.slow_runs, self.say, axis)

    def near(self, *more: str) -> dict[str, Peer]:
        return {name: peer for name, peer in self.peers.items() if name in (*more, *NEAR)}


def replicas(number: int) -> str:
    """What faultline is called in tables, with so many replicas."""
    return f"faultline, {number} replica{'' if number == 1 else 's'}"


def peer(peer: Peer, text: Corpus, at: float = 0, workers: int = 2, memory: bool = False) -> Case:
    return Case(
        peer.title,
        lambda: systems.run(peer, text, workers, memory=memory),
        text.size,
        text.files,
        at,
    )


def job(
    system: str, cluster: Jobs, text: Corpus, *words: str, at: float = 0, memory: bool = False
) -> Case:
    """`fab start-job` with these words besides --input; as a person types it, with none."""
    return Case(system, lambda: cluster.run(text, *words, memory=memory), text.size, text.files, at)
