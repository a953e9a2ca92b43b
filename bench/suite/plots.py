"""Plots of a section as SVG: bars for systems side by side, lines for what scales.

The same results give the same file, so that only what changed shows in git.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from bench.suite.cases import Section, Table


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
        figure, axes = pyplot.subplots(figsize=(7, 3.6), layout="constrained")
        (_lines if table.axis else _bars)(axes, table, section.name == "memory")
        axes.set_title(table.title)
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


def _lines(axes, table: Table, _memory: bool) -> None:  # type: ignore[no-untyped-def]
    for system in dict.fromkeys(row.system for row in table.rows):
        rows = [row for row in table.rows if row.system == system and row.seconds and not row.error]
        axes.plot([row.at for row in rows], [row.median for row in rows], marker="o", label=system)
    if max(row.at for row in table.rows) > 100:
        axes.set_xscale("log")
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
        axes.set_xticks(sorted({row.at for row in table.rows}))
    axes.set_xlabel(table.axis)
    axes.set_ylabel("median seconds")
    axes.legend(fontsize=7)
