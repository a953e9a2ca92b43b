"""What is aimed at, and what was measured: printed as met or missed, never asserted.

Each target is a figure from the results of one section, at most or at least a bound. A job has
three moments: all is counted on all replicas and one driver has the sum, which is as far as its
peers go; all replicas have published; and the whole `fab start-job` has ended, as peers are timed
as whole processes. Each is compared, of jobs that publish all words and of such as publish some.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.suite.cases import Row, Section, Table
from bench.suite.jobs import COMMAND, COUNTED
from bench.suite.kernels import COMPILED, COUNTER, PIECE_BYTES, WC
from bench.suite.sections import ONE, ONE_SOME, THREE, THREE_SOME
from bench.suite.systems import ALL, PLAIN

WORD_BYTES = 64


PUBLISHED = "published"
MOMENTS = (COUNTED, PUBLISHED, COMMAND)

Figure = Callable[[Section, str], float | None]
"""A measured value, at one of a job's moments."""


@dataclass(frozen=True)
class Target:
    """``figure`` gives None where a case was not measured. ``size``: of the text it is meant for,
    bytes; a result on another amount is shown, and is neither met nor missed."""

    section: str
    what: str
    bound: float
    least: bool
    size: int
    figure: Figure
    title: str = ""


def table(section: Section, title: str) -> Table | None:
    """The first table whose title begins so."""
    return next((found for found in section.tables if found.title.startswith(title)), None)


def row(section: Section, system: str, title: str = "") -> Row | None:
    """The row of a system in that table, if it was measured."""
    found = table(section, title)
    rows = [row for row in found.rows if row.system == system] if found else []
    return next((row for row in rows if row.seconds and not row.error), None)


def seconds(found: Row, moment: str) -> float:
    return statistics.median(found.more.get(moment, found.seconds))


def times(slow: str, fast: str, title: str = "") -> Figure:
    """How many times as long ``slow`` takes as ``fast``, by medians."""

    def figure(section: Section, moment: str) -> float | None:
        one, other = row(section, slow, title), row(section, fast, title)
        return seconds(one, moment) / seconds(other, moment) if one and other else None

    return figure


def file_rate(section: Section, moment: str) -> float | None:
    found = row(section, THREE)
    return found.files / seconds(found, moment) if found else None


def kernel_memory(section: Section, _moment: str) -> float | None:
    """Bytes a distinct word, beyond one piece of input."""
    found = row(section, COMPILED, "kernel")
    return (max(found.memory) - PIECE_BYTES) / found.at if found and found.memory else None


LARGE, MIDDLE = "100 MB, real", "10 MB, real"
CEILING = ALL["kernel"].title
GB, MB100, MB10 = 1_000_000_000, 100_000_000, 10_000_000
WORDS = "kernel: bytes a distinct word, beyond a piece, its delta included"


def faster(name: str, bound: float) -> list[Target]:
    """Than a peer, with one replica."""
    title = ALL[name].title
    return [
        Target(
            "end-to-end", f"{system}: faster than {title}", bound, True, GB, times(title, system)
        )
        for system in (ONE, ONE_SOME)
    ]


def near(all_words: str, some: str, bound: float) -> list[Target]:
    """The time to the ceiling's."""
    return [
        Target(
            "end-to-end", f"{system}: time to {CEILING}", bound, False, GB, times(system, CEILING)
        )
        for system in (all_words, some)
    ]


TARGETS = (
    Target(
        "kernel",
        f"kernel: faster than {COUNTER}, 100 MB",
        10,
        True,
        MB100,
        times(COUNTER, COMPILED, LARGE),
        LARGE,
    ),
    Target(
        "kernel",
        f"kernel: faster than {COUNTER}, 10 MB",
        8,
        True,
        MB10,
        times(COUNTER, COMPILED, MIDDLE),
        MIDDLE,
    ),
    Target(
        "kernel",
        "kernel: faster than `wc -w`, 100 MB",
        1.5,
        True,
        MB100,
        times(WC, COMPILED, LARGE),
        LARGE,
    ),
    Target("memory", WORDS, WORD_BYTES, False, MB100, kernel_memory, "kernel"),
    *near(ONE, ONE_SOME, 1.15),
    *near(THREE, THREE_SOME, 1.5),
    *faster("duckdb", 2),
    *faster("counter", 6),
    *faster("spark", 15),
    Target("small-files", f"{THREE}: files a second", 3000, True, MB100, file_rate),
    Target(
        "small-files",
        f"{THREE}: time to a plain script",
        2,
        False,
        MB100,
        times(THREE, PLAIN.title),
    ),
)


def size_of(target: Target, section: Section) -> int:
    measured = table(section, target.title)
    return measured.rows[0].size if measured and measured.rows else 0


def verdict(target: Target, found: float) -> str:
    met = found >= target.bound if target.least else found <= target.bound
    return f"{shown(found)}, {'met' if met else '**missed**'}"


def cells(target: Target, section: Section | None) -> list[str]:
    """What was measured at each moment: one figure where a job has no part in it."""
    figures = [target.figure(section, moment) if section else None for moment in MOMENTS]
    if section is None or None in figures:
        return ["not measured", "", ""]
    size = size_of(target, section)
    if not 0.99 * target.size <= size <= 1.01 * target.size:
        return [f"measured on {size / 1e6:,.0f} MB, not {target.size / 1e6:,.0f} MB", "", ""]
    told = [verdict(target, figure) for figure in figures if figure is not None]
    return told if len(set(told)) > 1 else [told[0], "", ""]


def markdown(sections: Mapping[str, Section]) -> str:
    """The table of targets, from whatever sections there are results of."""
    rows = [
        "| target | wanted | measured; of jobs: counted | published | whole command |",
        "| --- | --- | --- | --- | --- |",
    ]
    for target in TARGETS:
        wanted = f"{'at least' if target.least else 'at most'} {target.bound:g}"
        line = [target.what, wanted, *cells(target, sections.get(target.section))]
        rows.append(f"| {' | '.join(line)} |")
    dates = [f"{name} {section.machine.split(',')[0]}" for name, section in sections.items()]
    return "\n".join([*rows, "", f"Measured: {', '.join(dates)}. Ratios are of medians."])


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
