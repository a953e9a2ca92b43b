"""The sections of bench/run: which cases, on which corpora.

All sizes follow from one, the total of the end-to-end section; so a small total makes all small.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.suite import growth, jobs, kernels
from bench.suite.cases import BEFORE, Case, Section, Table, disagreements, load_average, measure
from bench.suite.corpora import ZIPF, Corpus
from bench.suite.jobs import COUNTED, PUBLISHED, Jobs
from bench.suite.plan import MB, Plan, job, peer, replicas
from bench.suite.systems import ALL

ONE, THREE = replicas(1), replicas(3)
DUCKDB, CEILING = ALL["duckdb"].title, ALL["kernel"].title
#: Jobs that publish all words, whatever the default is.
PUBLISH_ALL = ("--publish", "all")
ALL_WORDS = ", --publish all"
WORKERS = (1, 2, 4)  # the last is more than there are cores


def kernel(plan: Plan) -> list[Table]:
    sizes = [min(plan.total, 100 * MB), min(plan.total // 10, 10 * MB)]
    texts = [plan.corpus(1, size) for size in sizes] + [plan.corpus(1, sizes[0], ZIPF)]
    tables = [plan.measure(kernels.title(text), kernels.counting(plan, text)) for text in texts]
    words = [next(row.answer["distinct"] for row in table.rows if row.answer) for table in tables]
    plan.notes += [
        f"{table.title}: {distinct:,} distinct words"
        for table, distinct in zip(tables, words, strict=True)
    ]
    cases = kernels.tokenizing(plan, texts[1])
    tables.append(plan.measure(f"tokenizers, {sizes[1] / MB:.3g} MB", cases))
    tables.append(plan.measure(kernels.FOLDING, kernels.folding(plan, texts[0], words[0])))
    plan.notes += kernels.folded(tables[-1])
    return tables


def end_to_end(plan: Plan) -> list[Table]:
    text = plan.corpus(100, plan.total // 100)
    with ExitStack() as stack:
        clusters = {n: stack.enter_context(jobs.replicas(n)) for n in (1, 3)}
        cases = [job(replicas(n), cluster, text) for n, cluster in clusters.items()]
        if plan.before:
            for n in clusters:
                older = stack.enter_context(jobs.replicas(n, folder=plan.before))
                cases.append(job(f"{BEFORE}{replicas(n)}", older, text))
        cases += _with_all_words(clusters, text)
        cases += [peer(found, text) for found in plan.peers.values()]
        table = plan.measure(_size(text), cases)
        _say_kernel(plan, clusters[1])
    plan.notes += parts(table)
    words = next((row.answer["distinct"] for row in table.rows if row.answer), 0)
    plan.notes.append(
        f"{text.size / MB:.0f} MB, {text.distinct / MB:.0f} MB of them distinct, "
        f"{words:,} distinct words"
    )
    return [table]


def parts(table: Table) -> list[str]:
    """Where the time of the whole command goes, by replicas, and what it is up against."""
    rows = {row.system: row for row in table.rows if row.seconds}
    lines = []
    for system in (ONE, THREE):
        if system in rows:
            counted, published = (
                statistics.median(rows[system].more[at]) for at in (COUNTED, PUBLISHED)
            )
            lines.append(
                f"{system}: {counted:.2f} s until all was counted, {published - counted:.2f} s of "
                f"publishing, {rows[system].median - published:.2f} s before the job and after it "
                "(the start of `fab`, planning, the words that are shown)"
            )
    if rows.keys() >= {DUCKDB, CEILING}:
        lines.append(
            f"Twice as fast as {DUCKDB} is {rows[DUCKDB].median / 2:.2f} s; counting alone, by "
            f"{CEILING}, takes {rows[CEILING].median:.2f} s"
        )
    return lines


def memory(plan: Plan) -> list[Table]:
    text = plan.corpus(100, plan.total // 500)
    with ExitStack() as stack:
        clusters = {n: stack.enter_context(jobs.replicas(n)) for n in (1, 3)}
        cases = [job(replicas(n), cluster, text, memory=True) for n, cluster in clusters.items()]
        cases += _with_all_words(clusters, text, memory=True)
        cases += [peer(found, text, memory=True) for found in plan.peers.values()]
        # What is large once is large again: as often as slow cases are run.
        table = measure(_size(text), cases, plan.slow_runs, plan.slow_runs, plan.say)
        _say_kernel(plan, clusters[1])
    return [table]


def workers(plan: Plan) -> list[Table]:
    text = plan.corpus(100, plan.total // 500)
    near = plan.near("counter")
    cases = []
    with ExitStack() as stack:
        for number in WORKERS:
            cluster = stack.enter_context(jobs.replicas(1, workers=number))
            cases.append(job(ONE, cluster, text, at=number))
            cases += [peer(found, text, number, number) for found in near.values()]
        table = plan.measure(_size(text), cases, "workers")
        _say_kernel(plan, cluster)
    return [table]


SECTIONS: dict[str, Callable[[Plan], list[Table]]] = {
    "end-to-end": end_to_end,
    "kernel": kernel,
    "growth": growth.growth,
    "memory": memory,
    "workers": workers,
}


#: Sections in which every peer takes part.
AGAINST_ALL = ("end-to-end", "memory")


def run(name: str, plan: Plan) -> Section:
    """Measure one section."""
    plan.notes = []
    before = load_average()
    tables = SECTIONS[name](plan)
    absent = [name for name in ALL if name not in plan.peers]
    if absent and name in AGAINST_ALL:
        plan.notes.append(f"Not measured: {', '.join(ALL[name].title for name in absent)}")
    if any(row.system.startswith(BEFORE) for table in tables for row in table.rows):
        plan.notes.append(f"{BEFORE}the code of {commit(plan.before)}")
    wrong = disagreements(tables)
    return Section(name, plan.runs, tables, plan.notes, [before, load_average()], wrong=wrong)


def commit(folder: Path | None) -> str:
    """The commit of a checkout and its day, as git has it; without git, its folder."""
    command = ["git", "log", "-1", "--format=commit %h of %cs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(folder)


def _with_all_words(clusters: dict[int, Jobs], text: Corpus, *, memory: bool = False) -> list[Case]:
    return [
        replace(
            job(f"{replicas(n)}{ALL_WORDS}", cluster, text, *PUBLISH_ALL, memory=memory),
            seldom=True,
        )
        for n, cluster in clusters.items()
    ]


def _size(text: Corpus) -> str:
    return f"{text.size / MB:.0f} MB in {text.files} files"


def _say_kernel(plan: Plan, cluster: Jobs) -> None:
    plan.notes.append(f"Hosts counted with the kernel: {cluster.kernel or 'unknown'}")
