"""The sections of bench/run: which cases, on which corpora.

All sizes follow from one, the total of the end-to-end section; so a small total makes all small.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench.suite import jobs, kernels, systems
from bench.suite.cases import Case, Section, Table, disagreements, load_average, measure
from bench.suite.corpora import ZIPF, Corpus, corpus
from bench.suite.jobs import Jobs
from bench.suite.systems import ALL, PLAIN, Peer

MB = 1_000_000
ONE, THREE = "faultline, 1 replica", "faultline, 3 replicas"
#: Jobs that publish the most frequent words only, and are counted all the same.
SOME = 10_000
ONE_SOME, THREE_SOME = (f"{system}, {SOME:,} words published" for system in (ONE, THREE))
#: In sections about scaling: the ceiling, and the two that come nearest.
NEAR = ("kernel", "duckdb", "polars")
WORKERS = (1, 2, 4)  # the last is more than there are cores
SMALL_BYTES, MOST_SMALL = 1000, 100_000


@dataclass
class Plan:
    """What was asked for. ``total`` is in bytes."""

    total: int
    runs: int
    slow_runs: int
    peers: dict[str, Peer]
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def corpus(self, files: int, size: int, kind: str = "real") -> Corpus:
        found = corpus(files, size, self.say, kind=kind)
        found.warm()
        return found

    def measure(self, title: str, cases: list[Case], axis: str = "") -> Table:
        return measure(title, cases, self.runs, self.slow_runs, self.say, axis)

    def near(self, *more: str) -> dict[str, Peer]:
        return {name: peer for name, peer in self.peers.items() if name in (*more, *NEAR)}


def peer(peer: Peer, text: Corpus, at: float = 0, workers: int = 2, memory: bool = False) -> Case:
    return Case(
        peer.title,
        lambda: systems.run(peer, text, workers, memory=memory),
        text.size,
        text.files,
        at,
    )


def job(
    system: str,
    cluster: Jobs,
    text: Corpus,
    at: float = 0,
    memory: bool = False,
    publish: str = "all",
) -> Case:
    return Case(
        system,
        lambda: cluster.run(text, memory=memory, publish=publish),
        text.size,
        text.files,
        at,
    )


def some(system: str, cluster: Jobs, text: Corpus, memory: bool = False) -> Case:
    return job(system, cluster, text, memory=memory, publish=str(SOME))


def kernel(plan: Plan) -> list[Table]:
    sizes = [min(plan.total, 100 * MB), min(plan.total // 10, 10 * MB)]
    texts = [plan.corpus(1, size) for size in sizes] + [plan.corpus(1, sizes[0], ZIPF)]
    tables = [plan.measure(kernels.title(text), kernels.cases(text, plan.peers)) for text in texts]
    tables.append(plan.measure(f"tokenizers, {sizes[1] / MB:.3g} MB", kernels.tokenizing(texts[1])))
    folds = plan.measure("folding", kernels.folding(texts[0]))
    plan.notes += kernels.folded(folds)
    for table in tables[:-1]:
        found = next(row for row in table.rows if row.answer)
        plan.notes.append(f"{table.title}: {found.answer['distinct']:,} distinct words")
    return tables


def end_to_end(plan: Plan) -> list[Table]:
    text = plan.corpus(100, plan.total // 100)
    with jobs.one_replica() as one, jobs.three_replicas() as three:
        cases = [job(ONE, one, text), job(THREE, three, text)]
        cases += [some(ONE_SOME, one, text), some(THREE_SOME, three, text)]
        cases += [peer(found, text) for found in plan.peers.values()]
        table = plan.measure(_size(text), cases)
        _say_kernel(plan, one)
    _say_text(plan, text, table)
    return [table]


def memory(plan: Plan) -> list[Table]:
    single = plan.corpus(1, min(plan.total, 100 * MB))
    grown = Case(kernels.COMPILED, lambda: kernels.memory(single), single.size, loose=True)
    text = plan.corpus(100, plan.total // 500)
    with jobs.one_replica() as one, jobs.three_replicas() as three:
        cases = [job(ONE, one, text, memory=True), job(THREE, three, text, memory=True)]
        cases += [some(ONE_SOME, one, text, True), some(THREE_SOME, three, text, True)]
        cases += [peer(found, text, memory=True) for found in plan.peers.values()]
        # What is large once is large again: as often as slow cases are run.
        often, say = plan.slow_runs, plan.say
        tables = [measure(_size(text), cases, often, often, say)]
        if kernels.COMPILED in kernels.kernels():
            tables.append(measure(f"kernel, {kernels.title(single)}", [grown], often, often, say))
            words = kernels.memory(single).answer.get("distinct", 0)
            tables[-1].rows[0].at = words
        _say_kernel(plan, one)
    return tables


def workers(plan: Plan) -> list[Table]:
    text = plan.corpus(100, plan.total // 500)
    near = plan.near("counter")
    cases = []
    with ExitStack() as stack:
        for number in WORKERS:
            name, first = f"benchwork{number}", 120 + number
            cluster = stack.enter_context(jobs.one_replica(name, first, number))
            cases.append(job(ONE, cluster, text, number))
            cases += [peer(found, text, number, number) for found in near.values()]
        table = plan.measure(_size(text), cases, "workers")
        _say_kernel(plan, cluster)
    return [table]


def file_size(plan: Plan) -> list[Table]:
    total = plan.total // 10
    sizes = [size for size in (10**n for n in range(3, 10)) if size <= total]
    texts = [plan.corpus(total // size, size) for size in sizes]
    title = f"{total / MB:.0f} MB in files of each size"
    return [
        _scaled(plan, title, [(text, text.size / text.files) for text in texts], "bytes a file")
    ]


def total_size(plan: Plan) -> list[Table]:
    totals = [size for size in (plan.total // 100, plan.total // 10, plan.total) if size]
    size = min(10 * MB, totals[0])
    many = [(text := plan.corpus(total // size, size), text.size) for total in totals]
    single = [(text := plan.corpus(1, total), text.size) for total in totals]
    return [
        _scaled(plan, f"files of {size / MB:g} MB", many, "bytes"),
        _scaled(plan, "one file", single, "bytes"),
    ]


def small_files(plan: Plan) -> list[Table]:
    text = plan.corpus(min(MOST_SMALL, plan.total // 10 // SMALL_BYTES), SMALL_BYTES)
    with jobs.one_replica() as one, jobs.three_replicas() as three:
        cases = [job(ONE, one, text), job(THREE, three, text), peer(PLAIN, text)]
        cases += [peer(found, text) for found in plan.near("counter").values()]
        table = plan.measure(f"{text.files:,} files of 1 KB", cases)
        _say_kernel(plan, three)
    return [table]


SECTIONS: dict[str, Callable[[Plan], list[Table]]] = {
    "kernel": kernel,
    "end-to-end": end_to_end,
    "memory": memory,
    "workers": workers,
    "file-size": file_size,
    "total-size": total_size,
    "small-files": small_files,
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
    wrong = disagreements(tables)
    return Section(name, plan.runs, tables, plan.notes, [before, load_average()], wrong=wrong)


def _scaled(plan: Plan, title: str, texts: list[tuple[Corpus, float]], axis: str) -> Table:
    with jobs.one_replica() as one, jobs.three_replicas() as three:
        cases = []
        for text, at in texts:
            cases += [job(ONE, one, text, at), job(THREE, three, text, at)]
            cases += [peer(found, text, at) for found in plan.near().values()]
        table = plan.measure(title, cases, axis)
        _say_kernel(plan, one)
    return table


def _size(text: Corpus) -> str:
    return f"{text.size / MB:.0f} MB in {text.files} files"


def _say_kernel(plan: Plan, cluster: Jobs) -> None:
    plan.notes.append(f"Hosts counted with the kernel: {cluster.kernel or 'unknown'}")


def _say_text(plan: Plan, text: Corpus, table: Table) -> None:
    words = next((row.answer["distinct"] for row in table.rows if row.answer), 0)
    plan.notes.append(
        f"{text.size / MB:.0f} MB, {text.distinct / MB:.0f} MB of them distinct, "
        f"{words:,} distinct words"
    )
