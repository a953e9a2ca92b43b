"""What is aimed at, and what was measured: printed as met or missed, never asserted.

Each target is a ratio of two rows of one section, at most or at least a bound. A job's time is that
of the whole command as it is typed, as its peers are timed as whole processes; beside it stands how
it does against the code of an older checkout, where one was measured in the same run.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.suite.cases import BEFORE, Row, Section, Table
from bench.suite.jobs import COUNTED
from bench.suite.kernels import COMPILED, COUNTER, FIRST, PLAIN, TEXT_COUNTER
from bench.suite.sections import CEILING, DUCKDB, ONE, THREE

LARGE, MIDDLE = "100 MB, real", "10 MB, real"
GB, MB100, MB10 = 1_000_000_000, 100_000_000, 10_000_000


@dataclass(frozen=True)
class Target:
    """``slow`` takes at least, or at most, ``bound`` times as long as ``fast``, by medians.

    ``size``: of the text it is meant for, bytes; a result on another amount is shown, and is
    neither met nor missed. ``moment``: of a job's seconds, "" for the whole command's.
    """

    section: str
    slow: str
    fast: str
    bound: float
    least: bool
    size: int
    moment: str = ""
    title: str = ""
    aim: float = 0.0

    @property
    def what(self) -> str:
        amount = f"{self.size / 1e6:,.0f} MB"
        if self.least:
            return f"{amount}, {self.fast}: times as fast as {self.slow}"
        return f"{amount}, {self.slow}: {self.moment or 'time'} to that of {self.fast}"


TARGETS = (
    Target("end-to-end", DUCKDB, ONE, 1.4, True, GB, aim=2),
    Target("end-to-end", DUCKDB, THREE, 1.2, True, GB, aim=2),
    Target("end-to-end", ONE, CEILING, 1.5, False, GB),
    Target("end-to-end", THREE, CEILING, 1.7, False, GB),
    Target("end-to-end", ONE, f"{BEFORE}{ONE}", 1.1, False, GB, COUNTED),
    Target("end-to-end", THREE, f"{BEFORE}{THREE}", 1.1, False, GB, COUNTED),
    Target("kernel", COUNTER, COMPILED, 8, True, MB100, title=LARGE),
    Target("kernel", COUNTER, COMPILED, 8, True, MB10, title=MIDDLE),
    Target("kernel", TEXT_COUNTER, PLAIN, 1, True, MB100, title=LARGE),
    Target("kernel", TEXT_COUNTER, PLAIN, 1, True, MB10, title=MIDDLE),
)


def table(section: Section, title: str) -> Table | None:
    """The first table whose title begins so."""
    return next((found for found in section.tables if found.title.startswith(title)), None)


def row(found: Table | None, system: str) -> Row | None:
    """The row of a system in that table, if it was measured."""
    rows = [row for row in found.rows if row.system == system] if found else []
    return next((row for row in rows if row.seconds and not row.error), None)


def seconds(found: Row, moment: str) -> float:
    return statistics.median(found.more[moment] if moment else found.seconds)


def cell(target: Target, section: Section | None) -> str:
    """What was measured."""
    rows = table(section, target.title) if section else None
    slow, fast = row(rows, target.slow), row(rows, target.fast)
    if slow is None or fast is None:
        return "not measured"
    if not 0.99 * target.size <= slow.size <= 1.01 * target.size:
        return f"measured on {slow.size / 1e6:,.0f} MB, not {target.size / 1e6:,.0f} MB"
    ratio = seconds(slow, target.moment) / seconds(fast, target.moment)
    met = ratio >= target.bound if target.least else ratio <= target.bound
    aim = f"; aim of {target.aim:g} {'met' if ratio >= target.aim else 'not met'}"
    return f"{ratio:.2f}, {'met' if met else '**missed**'}{aim if target.aim else ''}"


def pairs(section: Section) -> Iterator[tuple[str, str, list[float], list[float]]]:
    """Rows of both checkouts: table, system, and seconds before and now; also at other moments."""
    for found in section.tables:
        for before in found.rows:
            now = row(found, before.system.removeprefix(BEFORE))
            if not before.system.startswith(BEFORE) or not before.seconds or now is None:
                continue
            yield found.title, now.system, before.seconds, now.seconds
            for moment in before.more.keys() & now.more.keys() - {FIRST}:
                named = f"{now.system}: {moment}"
                yield found.title, named, before.more[moment], now.more[moment]


def compared(sections: Mapping[str, Section]) -> list[str]:
    """A table of what both checkouts did, if any section has such rows."""
    lines = [
        f"| {title}: {system} | {statistics.median(before):.3g} | {statistics.median(now):.3g} "
        f"| {statistics.median(now) / statistics.median(before):.2f} |"
        for section in sections.values()
        for title, system, before, now in sorted(pairs(section))
    ]
    head = ["", "| the code before, and now | before, s | now, s | now to before |"]
    return [*head, "| --- | --- | --- | --- |", *lines] if lines else []


def markdown(sections: Mapping[str, Section]) -> str:
    """The table of targets, from whatever sections there are results of."""
    rows = ["| target | wanted | measured |", "| --- | --- | --- |"]
    for target in TARGETS:
        wanted = f"{'at least' if target.least else 'at most'} {target.bound:g}"
        found = cell(target, sections.get(target.section))
        rows.append(f"| {target.what} | {wanted} | {found} |")
    dates = [f"{name} {section.machine.split(',')[0]}" for name, section in sections.items()]
    told = ["", f"Measured: {', '.join(dates)}. Ratios are of medians."]
    return "\n".join([*rows, *compared(sections), *told])
