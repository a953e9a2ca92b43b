"""What is aimed at, and what was measured: printed as met or missed, never asserted.

Each target is a figure from kept results of one section, at most or at least a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.kernels import COMPILED, COUNTER, PIECE_BYTES, WC
from bench.measured import Row, Section
from bench.sections import ONE, THREE
from bench.systems import ALL, PLAIN

WORD_BYTES = 64


@dataclass(frozen=True)
class Target:
    """``figure`` gives the measured value, or None where a case was not measured."""

    section: str
    what: str
    bound: float
    least: bool
    figure: Callable[[Section], float | None]


def row(section: Section, system: str, title: str = "") -> Row | None:
    """The row of a system in the table whose title begins so, if it was measured."""
    for table in section.tables:
        for found in table.rows:
            if table.title.startswith(title) and found.system == system and not found.error:
                return found
    return None


def times(slow: str, fast: str, title: str = "") -> Callable[[Section], float | None]:
    """How many times as long ``slow`` takes as ``fast``, by medians."""

    def figure(section: Section) -> float | None:
        one, other = row(section, slow, title), row(section, fast, title)
        return one.median / other.median if one and other else None

    return figure


def file_rate(section: Section) -> float | None:
    found = row(section, THREE)
    return found.files / found.median if found else None


def kernel_memory(section: Section) -> float | None:
    """Bytes a distinct word, beyond one piece of input."""
    found = row(section, COMPILED, "kernel")
    return (max(found.memory) - PIECE_BYTES) / found.at if found and found.at else None


LARGE, MIDDLE = "100 MB, real", "10 MB, real"
CEILING = ALL["kernel"].title
TARGETS = (
    Target("kernel", f"kernel to {COUNTER}, 100 MB", 10, True, times(COUNTER, COMPILED, LARGE)),
    Target("kernel", f"kernel to {COUNTER}, 10 MB", 8, True, times(COUNTER, COMPILED, MIDDLE)),
    Target("kernel", "kernel to `wc -w`, 100 MB", 1.5, True, times(WC, COMPILED, LARGE)),
    Target(
        "memory", "kernel: bytes a distinct word, beyond a piece", WORD_BYTES, False, kernel_memory
    ),
    Target("end-to-end", f"{ONE}: time to {CEILING}", 1.15, False, times(ONE, CEILING)),
    Target("end-to-end", f"{THREE}: time to {CEILING}", 1.5, False, times(THREE, CEILING)),
    Target("end-to-end", "faster than DuckDB", 2, True, times(ALL["duckdb"].title, ONE)),
    Target(
        "end-to-end",
        "faster than multiprocessing + Counter",
        6,
        True,
        times(ALL["counter"].title, ONE),
    ),
    Target("end-to-end", "faster than PySpark", 15, True, times(ALL["spark"].title, ONE)),
    Target("small-files", f"{THREE}: files a second", 3000, True, file_rate),
    Target(
        "small-files", f"{THREE}: time to the plain script", 2, False, times(THREE, PLAIN.title)
    ),
)


def markdown(sections: Mapping[str, Section]) -> str:
    """The table of targets, from whatever sections there are results of."""
    rows = ["| target | wanted | measured | |", "| --- | --- | --- | --- |"]
    for target in TARGETS:
        section = sections.get(target.section)
        found = target.figure(section) if section else None
        wanted = f"{'at least' if target.least else 'at most'} {target.bound:g}"
        if found is None:
            rows.append(f"| {target.what} | {wanted} | - | not measured |")
            continue
        met = found >= target.bound if target.least else found <= target.bound
        shown = f"{found:,.0f}" if found >= 1000 else f"{found:.2f}"
        rows.append(f"| {target.what} | {wanted} | {shown} | {'met' if met else '**missed**'} |")
    sizes = [
        f"{name}: {section.tables[0].title}, {section.machine.split(',')[0]}"
        for name, section in sections.items()
    ]
    return "\n".join([*rows, "", f"From: {'; '.join(sizes)}. Ratios are of medians."])
