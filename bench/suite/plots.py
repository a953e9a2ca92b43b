"""Plots of a section as SVG: bars for systems side by side, lines for what scales.

The same results give the same file, so that only what changed shows in git.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from bench.suite.cases import Row, Section, Table


def available() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def draw(section: Section, folder: Path) -> list[str]:
    """Draw a section's tables into ``folder``; the files' names. None without matplotlib."""
    if not available():
        return []
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "faultline", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    names = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(section.tables, 1):
        if not any(row.seconds and not row.error for row in table.rows):
            continue
        sizes = bool(table.axis) and any(row.memory for row in table.rows)
        figure, axes = pyplot.subplots(1, 1 + sizes, figsize=(7, 3.6), layout="constrained")
        if not table.axis:
            _bars(axes, table, section.name == "memory")
        elif sizes:
            _lines(axes[0], table, lambda row: row.median, "seconds, median")
            _lines(axes[1], table, _megabytes, "MB of all processes; dashed: left in Redis")
            _lines(axes[1], table, _left, "", "--")
        else:
            _lines(axes, table, lambda row: row.median, "seconds, median")
        figure.suptitle(table.title)
        name = f"{section.name}{'' if len(section.tables) == 1 else f'-{number}'}.svg"
        figure.savefig(folder / name, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
        names.append(name)
    return names


def _bars(axes, table: Table, memory: bool) -> None:  # type: ignore[no-untyped-def]
    """Medians, with the least and the greatest as whiskers; or memory."""
    rows = [row for row in table.rows if row.seconds and not row.error][::-1]
    titles = [row.system for row in rows]
    if memory:
        axes.barh(titles, [max(row.memory, default=0) / 1e6 for row in rows])
        axes.set_xlabel("MB, all processes together")
        return
    medians = [row.median for row in rows]
    below = [row.median - min(row.seconds) for row in rows]
    above = [max(row.seconds) - row.median for row in rows]
    axes.barh(titles, medians, xerr=[below, above], capsize=3)
    axes.set_xlabel("seconds: median, least and greatest")


def _megabytes(row: Row) -> float:
    return max(row.memory, default=0) / 1e6


def _left(row: Row) -> float:
    return max(row.redis, default=0) / 1e6


def _lines(  # type: ignore[no-untyped-def]
    axes, table: Table, value: Callable[[Row], float], label: str, style: str = "-"
) -> None:
    """A line a system, over the table's axis; logarithmic where that goes far."""
    for number, system in enumerate(dict.fromkeys(row.system for row in table.rows)):
        rows = [row for row in table.rows if row.system == system and row.seconds and not row.error]
        points = [row.at for row in rows], [value(row) for row in rows]
        # Without a label it is another line of the same system, in its colour.
        name = system if label else None
        axes.plot(*points, style, marker="o", label=name, color=f"C{number}")
    if not label:
        return
    if max(row.at for row in table.rows) > 100:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.set_xticks(sorted({row.at for row in table.rows}))
    axes.set_xlabel(table.axis)
    axes.set_ylabel(label)
    axes.legend(fontsize=7)
