"""A trial for each of many sets of links, one after the other, on one cluster with the same inputs.

The inputs are planned once and recounted once. Workers are limited to a small share of a core, so
that small jobs take long enough to be cut in the middle. While links are cut the next job is
prepared. If a job ended before the links were cut, its set is tried again with a larger job.
"""

from __future__ import annotations

import random
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from control import verify
from control.cluster import Answer, Cluster
from control.jobs import job_progress, job_start
from control.jobs.job_start import Request
from experiments.cuts import trial
from experiments.cuts.trial import EXACT, Job, Trial
from faults import remote, slow_worker, targets
from faults.network.topology import Cuts
from faults.registry import REGISTRY
from faults.targets import Selection, Target
from provision.connect.contract import Connector
from provision.connect.hosts import Hosts, answers
from provision.inventory.model import Inventory

FILES, FILE_WORDS, DISTINCT = 12, 20_000, 500
#: The files that a job counts, from few to all: a busy machine needs larger jobs.
SIZES = ("0[0-3].txt", "0[0-7].txt", "*.txt")
SPLIT_BYTES = 8192
#: Splits that a worker claims at a time: few, so that they are applied one after the other.
BATCH = 2
#: Percent of a core for each worker, and the deadline of that fault, seconds.
WORKER_PERCENT, SLOW_SECONDS = 3.0, 7200.0
TRIES = 3
#: The share of a job that is left when the links are cut: below FEW the next job is larger, above
#: PLENTY it is smaller.
FEW, PLENTY = 0.15, 0.55


@contextmanager
def inputs(seed: int) -> Iterator[Path]:
    """A folder of random words, about 2 MB in all, that the workers' user may read."""
    folder = Path(tempfile.mkdtemp(prefix="faultline-cuts-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        chance = random.Random(seed)  # noqa: S311 - to be repeated
        vocabulary = [f"word{number}" for number in range(DISTINCT)]
        for number in range(FILES):
            (folder / f"{number:02}.txt").write_text(
                " ".join(chance.choices(vocabulary, k=FILE_WORDS))
            )
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def slow_all_workers(inventory: Inventory) -> Iterator[None]:
    """Limits the CPU time of all workers meanwhile. Raises ConnectorError."""
    fault = REGISTRY["slow-worker"]
    chosen, _ = targets.workers(inventory, Selection(every=True))
    orders = {}
    for target in chosen:
        harm = slow_worker.slow_worker(target, WORKER_PERCENT)
        orders[target] = remote.order(fault, target, harm, SLOW_SECONDS, secrets.token_hex(3))

    def begin(connector: Connector, target: Target) -> None:
        remote.begin(connector, target.folder, orders[target])

    def end(connector: Connector, target: Target) -> None:
        remote.end(connector, target.folder, [orders[target].id])

    with Hosts(inventory) as hosts:
        try:
            for _, result in targets.on_each(hosts, chosen, begin):
                if isinstance(result, Exception):
                    raise result
            yield
        finally:
            targets.on_each(hosts, chosen, end)


class _Jobs:
    """Jobs over the same inputs. The next one is prepared ahead, by connections of its own."""

    def __init__(self, ahead: Cluster, pattern: str, pool: ThreadPoolExecutor) -> None:
        self._cluster, self._pool = ahead, pool
        self._request = Request(pattern, "", "whitespace", "strict", SPLIT_BYTES, shared=True)
        self._tag, self._number = secrets.token_hex(3), 0
        self._shares = job_start.files_by_origin(ahead, self._request)
        self._next: Future[Answer] | None = None
        self._splits, self._words = 0, Counter[str]()

    def prepare_next(self) -> None:
        self._next = self._next or self._pool.submit(self._prepare)

    def take(self, cluster: Cluster) -> Job:
        """A prepared job. Raises HostError."""
        if not self._words:
            # The first job is not cut: the files are the same for all, so they are recounted once.
            spec = self._prepared()
            answers(job_start.activate(cluster, spec))
            self._splits = job_progress.follow(cluster, spec, lambda _: None).splits
            self._words = verify.recount(cluster, spec, lambda *_: None, cluster.inventory.replicas)
        return Job(self._prepared(), self._splits, self._words)

    def _prepared(self) -> Answer:
        self.prepare_next()
        following, self._next = self._next, None
        assert following is not None  # noqa: S101 - it was just submitted
        return following.result()

    def _prepare(self) -> Answer:
        self._number += 1
        request = replace(self._request, name=f"cut-{self._tag}-{self._number:04}")
        spec = job_start.specify(self._cluster, request, self._shares) | {"batch": BATCH}
        job_start.prepare(self._cluster, spec, self._shares)
        return spec


def trials(
    inventory: Inventory, folder: Path, sets: Sequence[Cuts], retried: Callable[[Trial], None]
) -> Iterator[Trial]:
    """Try each set in turn; `retried(trial)` is called for those whose cut came too late.

    Raises JobError, HostError when jobs cannot be prepared, or the inputs not recounted.
    """
    with (
        Cluster(inventory) as cluster,
        Cluster(inventory) as ahead,
        ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool,
    ):
        sources = [_Jobs(ahead, f"{folder}/{name}", pool) for name in SIZES]
        size = 0
        for links in sets:
            for left in reversed(range(TRIES)):
                source = sources[size]
                result = trial.run(cluster, links, source.take(cluster), source.prepare_next)
                if result.after > result.splits * PLENTY:
                    size = max(size - 1, 0)
                elif result.after < result.splits * FEW:
                    size = min(size + 1, len(SIZES) - 1)
                if result.in_the_middle or result.verdict != EXACT or not left:
                    break
                retried(result)
            yield result
