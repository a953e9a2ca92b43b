"""Results as Markdown, and their place in docs/benchmarks.md.

A section's text stands between `<!-- bench/run SECTION -->` and `<!-- end -->`; only that is
replaced, and where it is missing it is put at the end of the page.
"""

from __future__ import annotations

from bench.suite.cases import SLOW_SECONDS, Row, Section, Table
from bench.suite.jobs import COUNTED, PUBLISHED
from bench.suite.kernels import FIRST

END = "<!-- end -->"
INTRODUCTION = {
    "end-to-end": "Whole commands and processes, from their start to their end, with two workers, "
    "processes or threads each. Faultline's is `fab start-job --input ...` and nothing else; below "
    "it the same with `--publish all`. Beside it, from the submission of the job: until it was "
    "counted (all replicas have all counts, and a driver has summed them up, which is as far as "
    "the others go), and until all replicas had published.",
    "kernel": "One thread, from bytes in memory to a delta, in a process each, and a Counter of "
    "bytes or of text in memory; `wc -w` (UTF-8 locale), DuckDB and polars from a file, the last "
    "two as whole processes with one thread. What is in memory is counted twice, and the second "
    "time is taken: before the first, a virtual machine's host may have to find free memory.",
    "growth": "The whole command as it is typed, over more of one thing at a time, two workers in "
    "all; and in the same runs the greatest sum of the memory of all processes (PSS, of the "
    "command, supervisord, Redis, drivers and workers; sampled for a twentieth of the time at "
    "most), and what all Redis servers together held once it had ended. The bytes are of real "
    "text, again from its beginning where there is not so much, in files of 10 MB. The distinct "
    "words are made, of 7 characters and all equally frequent: the hardest there is, as no word is "
    "met again soon.",
    "memory": "The greatest sum of the memory of all processes of a system (PSS, looked at every "
    "0.1 s or more seldom, so that looking takes a twentieth of the time at most), greatest of all "
    "runs. Of faultline: `fab`, supervisord, Redis, drivers and workers.",
    "workers": "The same files with more workers, processes or threads.",
}


def marker(name: str) -> str:
    return f"<!-- bench/run {name} -->"


def heading(section: Section) -> str:
    before, after = section.load
    return (
        f"`bench/run --only {section.name}`, {section.machine}; load average {before} before and "
        f"{after} after; {section.runs} runs, interleaved (fewer of what takes more than "
        f"{SLOW_SECONDS:g} s, and of `--publish all`)."
    )


def markdown(section: Section, plots: list[str]) -> str:
    """A section as it is printed: what it is, tables, plots, notes."""
    parts = [INTRODUCTION[section.name], heading(section)]
    for table in section.tables:
        parts += [f"**{table.title}**", rows(table)]
    parts += [f"![{section.name}](benchmarks/{plot})" for plot in plots]
    parts += ["\n".join(f"- {note}" for note in section.notes)] if section.notes else []
    answers = any(row.answer for table in section.tables for row in table.rows)
    if section.wrong:
        parts.append("**Answers differ:** " + "; ".join(section.wrong))
    elif answers:
        parts.append("All answers that are compared are the same.")
    return "\n\n".join(parts)


def rows(table: Table) -> str:
    """A table's rows; only columns that some row has something for."""
    memory = any(row.memory for row in table.rows)
    redis = any(row.redis for row in table.rows) and memory
    named = (FIRST, COUNTED, PUBLISHED)
    more = [name for name in named if any(name in row.more for row in table.rows)]
    head = [*([table.axis] if table.axis else []), "system", "runs", "median s", "min to max"]
    head += ["MB/s", *([f"s, {name}" for name in more]), *(["memory, MB"] if memory else [])]
    head += ["Redis after, MB"] if redis else []
    lines = [head, ["---"] * len(head)]
    for row in table.rows:
        cells = [f"{row.at:,.0f}"] if table.axis else []
        lines.append([*cells, *_cells(row, more, memory, redis)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row, more: list[str], memory: bool, redis: bool) -> list[str]:
    if row.error or not row.seconds:
        failed = f"failed: {row.error}".replace("|", "/")
        return [row.system, str(len(row.seconds)), failed] + ["-"] * (
            2 + len(more) + memory + redis
        )
    others = [_spread(row.more[name]) if name in row.more else "-" for name in more]
    sizes = [f"{max(row.memory) / 1e6:,.0f}" if row.memory else "-"] if memory else []
    sizes += [f"{max(row.redis) / 1e6:,.0f}" if row.redis else "-"] if redis else []
    spread = f"{_shown(min(row.seconds))} to {_shown(max(row.seconds))}"
    rate = f"{row.size / 1e6 / row.median:.1f}"
    return [row.system, str(len(row.seconds)), _shown(row.median), spread, rate, *others, *sizes]


def _spread(values: list[float]) -> str:
    middle = sorted(values)[len(values) // 2]
    return f"{_shown(middle)} ({_shown(min(values))} to {_shown(max(values))})"


def _shown(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds >= 1 else f"{seconds:.3f}"


def insert(page: str, name: str, text: str) -> str:
    """The page with a section's text in its place."""
    block = f"{marker(name)}\n\n{text}\n\n{END}"
    begin = page.find(marker(name))
    if begin < 0:
        return f"{page.rstrip()}\n\n{block}\n"
    end = page.find(END, begin)
    if end < 0:
        raise ValueError(f"{marker(name)} has no {END} after it")
    return page[:begin] + block + page[end + len(END) :]
