"""How the cost of a job grows with bytes, files, distinct words and replicas.

Four sweeps, each of one of them; time and memory are of the same runs of the whole command. What a
sweep says in words is computed: the exponent b of cost = a x^b, between the two largest sizes, and
fitted over all (least squares of the logarithms).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import psutil

from bench.suite import jobs
from bench.suite.cases import Row, Table, measure
from bench.suite.corpora import EQUAL, EQUAL_BYTES, Corpus, NoRoom
from bench.suite.jobs import Jobs
from bench.suite.plan import MB, Plan, job, replicas

#: Runs of each case at most: what is of interest here grows tenfold.
MOST_RUNS = 2
FILE_BYTES = 10 * MB
FILES = tuple(10**n for n in range(6))
DISTINCT = tuple(10**n for n in range(3, 8))
#: How often each of the distinct words is there, at least.
TIMES_EACH = 5
COSTS: tuple[tuple[str, Callable[[Row], list[int] | list[float]]], ...] = (
    ("take {} times as long", lambda row: row.seconds),
    ("need {} times the memory", lambda row: row.memory),
    ("leave {} times as much in Redis", lambda row: row.redis),
)


@dataclass(frozen=True)
class Point:
    """A place on the axis, and its corpus: of files of ``size`` bytes, and of so many distinct
    words; of real text if 0."""

    at: float
    files: int
    size: int
    words: int = 0


def growth(plan: Plan) -> list[Table]:
    total = plan.total
    with ExitStack() as stack:
        clusters = {n: stack.enter_context(jobs.replicas(n)) for n in (1, 2, 3)}
        ends = {n: clusters[n] for n in (1, 3)}
        tables = [
            _sweep(plan, "total bytes", "MB of text", ends, _bytes(plan)),
            _sweep(plan, f"{total // 10 / MB:g} MB in files", "files", ends, _files(plan)),
            _sweep(plan, f"{total // 2 / MB:g} MB of words", "distinct words", ends, _words(plan)),
            _replicas(plan, clusters),
        ]
    for table in tables:
        plan.notes += slopes(table)
    return tables


def _bytes(plan: Plan) -> list[Point]:
    each = min(FILE_BYTES, plan.total // 10)
    totals = (plan.total // 10, plan.total, plan.total * 10)
    return [Point(total / MB, total // each, each) for total in totals]


def _files(plan: Plan) -> list[Point]:
    return [Point(files, files, plan.total // 10 // files) for files in FILES]


def _words(plan: Plan) -> list[Point]:
    half = plan.total // 2
    each = min(FILE_BYTES, half) // EQUAL_BYTES * EQUAL_BYTES  # no word is cut
    return [Point(words, half // each, each, words) for words in DISTINCT]


def text(plan: Plan, point: Point) -> Corpus:
    """Its text. Raises NoRoom if that does not fit: disk, memory, or words into text."""
    size = point.files * point.size
    least = point.words * EQUAL_BYTES * TIMES_EACH
    if size < least:
        raise NoRoom(f"they need {least / MB:,.0f} MB of text")
    memory = psutil.virtual_memory().total
    if size > memory / 2:  # else the disk would be measured
        raise NoRoom(f"{size:,} bytes of text, and {memory:,} of memory in all")
    if point.words:
        return plan.corpus(point.files, point.size, EQUAL, point.words)
    return plan.corpus(point.files, point.size)


def _sweep(
    plan: Plan, title: str, axis: str, clusters: Mapping[int, Jobs], points: list[Point]
) -> Table:
    cases = []
    for point in points:
        try:
            corpus = text(plan, point)
        except NoRoom as why:
            plan.notes.append(f"Left out: {point.at:,.0f} {axis}: {why}")
            plan.say(plan.notes[-1])
            continue
        cases += [
            job(replicas(n), cluster, corpus, at=point.at, memory=True)
            for n, cluster in clusters.items()
        ]
    return measure(title, cases, min(plan.runs, MOST_RUNS), plan.slow_runs, plan.say, axis)


def _replicas(plan: Plan, clusters: Mapping[int, Jobs]) -> Table:
    each = min(FILE_BYTES, plan.total // 10)
    corpus = plan.corpus(plan.total // each, each)
    cases = [
        job("faultline", cluster, corpus, at=n, memory=True) for n, cluster in clusters.items()
    ]
    title = f"{corpus.size / MB:.0f} MB, replicas"
    return measure(title, cases, min(plan.runs, MOST_RUNS), plan.slow_runs, plan.say, "replicas")


def slopes(table: Table) -> list[str]:
    """What more of the axis costs, a line a system: between the two largest, and over all."""
    lines = []
    for system in dict.fromkeys(row.system for row in table.rows):
        rows = [row for row in table.rows if row.system == system and row.seconds]
        if len(rows) < 2:
            continue
        line = f"{table.title}, {system}: {step(table.axis, *rows[-2:])}."
        if len(rows) > 2:
            found = [f"{exponent(p):.2f}" for _, cost in COSTS if len(p := _points(rows, cost)) > 2]
            ends = f"from {rows[0].at:,.0f} to {rows[-1].at:,.0f}"
            line += f" Over all, {ends}, the exponents are {', '.join(found)}."
        lines.append(line)
    return lines


def step(axis: str, few: Row, many: Row) -> str:
    """What the greater of two sizes costs, as a sentence."""
    parts = []
    for words, cost in COSTS:
        points = _points([few, many], cost)
        if len(points) == 2:
            ratio = points[1][1] / points[0][1]
            parts.append(f"{words.format(f'{ratio:.2f}')} (exponent {exponent(points):.2f})")
    factor = f"{many.at / few.at:.3g} times the {axis}, from {few.at:,.0f} to {many.at:,.0f},"
    return f"{factor} {', '.join(parts)}"


def exponent(points: list[tuple[float, float]]) -> float:
    """The b of y = a x^b through these (x, y)."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def _points(
    rows: list[Row], cost: Callable[[Row], list[int] | list[float]]
) -> list[tuple[float, float]]:
    return [(row.at, statistics.median(found)) for row in rows if (found := cost(row))]
