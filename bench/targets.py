"""What is aimed at, and what was measured: printed as met or missed, never asserted.

Each target is a figure from the results of one section, at most or at least a bound. Faultline's
time is that from the submission to the job's end; peers are timed as whole processes, so what the
same comparison gives for the whole `fab start-job` stands beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.jobs import COMMAND
from bench.kernels import COMPILED, COUNTER, PIECE_BYTES, WC
from bench.measured import Row, Section, Table
from bench.sections import ONE, THREE
from bench.systems import ALL, PLAIN

WORD_BYTES = 64


Figure = Callable[[Section, bool], float | None]
"""A measured value. The flag asks for faultline's whole command, where that was timed."""


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


def seconds(found: Row, command: bool) -> float:
    return statistics.median(found.more.get(COMMAND, found.seconds) if command else found.seconds)


def times(slow: str, fast: str, title: str = "") -> Figure:
    """How many times as long ``slow`` takes as ``fast``, by medians."""

    def figure(section: Section, command: bool) -> float | None:
        one, other = row(section, slow, title), row(section, fast, title)
        return seconds(one, command) / seconds(other, command) if one and other else None

    return figure


def file_rate(section: Section, command: bool) -> float | None:
    found = row(section, THREE)
    return found.files / seconds(found, command) if found else None


def kernel_memory(section: Section, _command: bool) -> float | None:
    """Bytes a distinct word, beyond one piece of input."""
    found = row(section, COMPILED, "kernel")
    return (max(found.memory) - PIECE_BYTES) / found.at if found and found.memory else None


LARGE, MIDDLE = "100 MB, real", "10 MB, real"
CEILING = ALL["kernel"].title
GB, MB100, MB10 = 1_000_000_000, 100_000_000, 10_000_000
WORDS = "kernel: bytes a distinct word, beyond a piece"


def faster(name: str, bound: float) -> Target:
    title = ALL[name].title
    return Target("end-to-end", f"{ONE}: faster than {title}", bound, True, GB, times(title, ONE))


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
    Target("end-to-end", f"{ONE}: time to {CEILING}", 1.15, False, GB, times(ONE, CEILING)),
    Target("end-to-end", f"{THREE}: time to {CEILING}", 1.5, False, GB, times(THREE, CEILING)),
    faster("duckdb", 2),
    faster("counter", 6),
    faster("spark", 15),
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


def verdict(target: Target, section: Section, found: float) -> str:
    """Whether the target is met, if it was measured on as much text as it is meant for."""
    measured = table(section, target.title)
    size = measured.rows[0].size if measured and measured.rows else 0
    if not 0.99 * target.size <= size <= 1.01 * target.size:
        return f"measured on {size / 1e6:,.0f} MB, not {target.size / 1e6:,.0f} MB"
    met = found >= target.bound if target.least else found <= target.bound
    return "met" if met else "**missed**"


def markdown(sections: Mapping[str, Section]) -> str:
    """The table of targets, from whatever sections there are results of."""
    rows = [
        "| target | wanted | measured | | by the whole command |",
        "| --- | --- | --- | --- | --- |",
    ]
    for target in TARGETS:
        section = sections.get(target.section)
        found = target.figure(section, False) if section else None
        wanted = f"{'at least' if target.least else 'at most'} {target.bound:g}"
        if section is None or found is None:
            rows.append(f"| {target.what} | {wanted} | - | not measured | - |")
            continue
        command = target.figure(section, True) or found
        other = shown(command) if command != found else "-"
        said = verdict(target, section, found)
        rows.append(f"| {target.what} | {wanted} | {shown(found)} | {said} | {other} |")
    dates = [f"{name} {section.machine.split(',')[0]}" for name, section in sections.items()]
    return "\n".join([*rows, "", f"Measured: {', '.join(dates)}. Ratios are of medians."])


def shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"
