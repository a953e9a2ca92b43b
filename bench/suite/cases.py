"""Cases that are run in turn, their results, and where these are stored.

Each round runs every case once, so that a machine's drift hits all alike. A case whose
first run took longer than SLOW_SECONDS is run less often: the table says how often.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.harness import REPOSITORY, machine
from bench.suite.systems import Ran

SLOW_SECONDS = 30.0
#: Before the name of a system of an older checkout.
BEFORE = "before: "
KEPT = REPOSITORY / "docs" / "benchmarks"


@dataclass
class Case:
    """Something to be measured. ``system`` is whose it is, ``at`` its place on a plot's axis.

    ``size`` is in bytes; ``loose`` says that its answer is not compared with the others', and
    ``seldom`` that it is run as often as what is slow.
    """

    system: str
    call: Callable[[], Ran]
    size: int = 0
    files: int = 1
    at: float = 0.0
    loose: bool = False
    seldom: bool = False


@dataclass
class Row:
    """Results of a case: seconds and bytes of memory of each run, and other seconds by name.

    ``redis`` has the bytes that were left in all Redis servers.
    """

    system: str
    at: float
    size: int
    files: int
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    redis: list[int] = field(default_factory=list)
    more: dict[str, list[float]] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass
class Table:
    """Rows that are compared. Answers are, among rows of the same bytes, files, and place."""

    title: str
    rows: list[Row]
    axis: str = ""


@dataclass
class Section:
    """The results of one section, as they are kept."""

    name: str
    runs: int
    tables: list[Table]
    notes: list[str]
    load: list[float]
    machine: str = field(default_factory=machine)
    wrong: list[str] = field(default_factory=list)


def measure(
    title: str,
    cases: Sequence[Case],
    runs: int,
    slow_runs: int,
    say: Callable[[str], None],
    axis: str = "",
) -> Table:
    """Run the cases in turn. One that fails is not run again."""
    rows = [Row(case.system, case.at, case.size, case.files) for case in cases]
    for number in range(1, runs + 1):
        for case, row in zip(cases, rows, strict=True):
            slow = case.seldom or (row.seconds and row.seconds[0] > SLOW_SECONDS)
            if row.error or (slow and number > slow_runs):
                continue
            _add(row, case.call(), case.loose)
            took = row.error or f"{row.seconds[-1]:.2f} s"
            place = f", {case.at:,.0f} {axis}" if axis else ""
            say(f"  {title}: run {number}: {case.system}{place}: {took}")
    return Table(title, rows, axis)


def _add(row: Row, ran: Ran, loose: bool) -> None:
    if ran.error:
        row.error = ran.error
        return
    row.seconds.append(ran.seconds)
    row.size = ran.size or row.size
    if ran.memory:
        row.memory.append(ran.memory)
    if ran.redis:
        row.redis.append(ran.redis)
    for name, seconds in ran.more.items():
        row.more.setdefault(name, []).append(seconds)
    if loose or not ran.answer:
        return
    if row.answer and row.answer != ran.answer:
        row.error = "its answers differ from run to run"
    row.answer = ran.answer


def disagreements(tables: Sequence[Table]) -> list[str]:
    """A line for each system whose answer is not that of most others on the same files."""
    lines = []
    for table in tables:
        groups: dict[tuple[int, int, float], list[Row]] = {}
        for row in table.rows:
            if row.answer:
                groups.setdefault((row.size, row.files, row.at), []).append(row)
        for rows in groups.values():
            answers = [json.dumps(row.answer, sort_keys=True) for row in rows]
            usual = statistics.mode(answers)
            lines += [
                f"{table.title}: {row.system} found {answer}, the others {usual}"
                for row, answer in zip(rows, answers, strict=True)
                if answer != usual
            ]
    return lines


def load_average() -> float:
    return round(os.getloadavg()[0], 2)


def save(section: Section, folder: Path = KEPT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{section.name}.json"
    path.write_text(json.dumps(asdict(section), indent=1) + "\n")
    return path


def read(name: str, folder: Path = KEPT) -> Section | None:
    """A section's kept results; None if it was never kept."""
    path = folder / f"{name}.json"
    return from_json(json.loads(path.read_text())) if path.exists() else None


def from_json(kept: dict[str, Any]) -> Section:
    tables = [
        Table(table["title"], [Row(**row) for row in table["rows"]], table["axis"])
        for table in kept["tables"]
    ]
    return Section(**(kept | {"tables": tables}))
