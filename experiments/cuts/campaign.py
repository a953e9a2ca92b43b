"""Many sets of links, one after the other, on one cluster with the same inputs.

The inputs are planned once and recounted once. Workers get a small share of a core each, so that
small jobs have a middle. While links are cut the next job is prepared. A set whose job was over
before the links were cut is tried again, with a larger job: a busy machine cuts late.
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

from control import job_progress, job_start, verify
from control.cluster import Answer, Cluster
from control.job_start import Request
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
#: Which files a job counts: few will do, and a machine with much else to do needs more.
SIZES = ("0[0-3].txt", "0[0-7].txt", "*.txt")
SPLIT_BYTES = 8192
#: Splits that a worker claims at a time: few, so that they are applied little by little.
BATCH = 2
#: Percent of a core for each worker, and for how long at most, should nobody end it.
WORKER_PERCENT, SLOW_SECONDS = 3.0, 7200.0
TRIES = 3
#: The share of a job that is left when the links are cut: less, and the next one is larger; more,
#: and a smaller one will do.
FEW, PLENTY = 0.15, 0.55


@contextmanager
def inputs(seed: int) -> Iterator[Path]:
    """A folder of chance words, about 2 MB in all, where the workers' user may read."""
    folder = Path(tempfile.mkdtemp(prefix="faultline-cuts-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        chance = random.Random(seed)  # noqa: S311 - to be repeated
        known = [f"word{number}" for number in range(DISTINCT)]
        for number in range(FILES):
            (folder / f"{number:02}.txt").write_text(" ".join(chance.choices(known, k=FILE_WORDS)))
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def slowed(inventory: Inventory) -> Iterator[None]:
    """All workers slow meanwhile. Raises ConnectorError."""
    fault = REGISTRY["slow-worker"]
    chosen, _ = targets.workers(inventory, Selection(every=True))
    orders = {
        target: remote.order(
            fault,
            target,
            slow_worker.slow_worker(target, WORKER_PERCENT),
            SLOW_SECONDS,
            secrets.token_hex(3),
        )
        for target in chosen
    }

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
    """Jobs of the same inputs, prepared one ahead by a connection of their own."""

    def __init__(self, ahead: Cluster, pattern: str, pool: ThreadPoolExecutor) -> None:
        self._cluster, self._pool = ahead, pool
        self._request = Request(pattern, "", "whitespace", "strict", SPLIT_BYTES, shared=True)
        self._tag, self._number = secrets.token_hex(3), 0
        self._shares = job_start.planned(ahead, self._request)
        self._next: Future[Answer] | None = None
        self._splits, self._words = 0, Counter[str]()

    def begin_next(self) -> None:
        self._next = self._next or self._pool.submit(self._prepare)

    def take(self, cluster: Cluster) -> Job:
        """A prepared job. Raises HostError."""
        if not self._words:
            # One job undisturbed: the files are the same for all, so they are recounted once.
            spec = self._taken()
            answers(job_start.activate(cluster, spec))
            self._splits = job_progress.follow(cluster, spec, lambda _: None).splits
            self._words = verify.recount(cluster, spec, lambda *_: None, cluster.inventory.replicas)
        return Job(self._taken(), self._splits, self._words)

    def _taken(self) -> Answer:
        self.begin_next()
        taken, self._next = self._next, None
        assert taken is not None  # noqa: S101 - it has just begun
        return taken.result()

    def _prepare(self) -> Answer:
        self._number += 1
        request = replace(self._request, name=f"cut-{self._tag}-{self._number:04}")
        spec = job_start.specify(self._cluster, request, self._shares) | {"batch": BATCH}
        job_start.prepare(self._cluster, spec, self._shares)
        return spec


def trials(
    inventory: Inventory, folder: Path, sets: Sequence[Cuts], retried: Callable[[Trial], None]
) -> Iterator[Trial]:
    """Try each set in turn; `retried(trial)` hears of those that came too late.

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
                found = trial.run(cluster, links, source.take(cluster), source.begin_next)
                if found.after > found.splits * PLENTY:
                    size = max(size - 1, 0)
                elif found.after < found.splits * FEW:
                    size = min(size + 1, len(SIZES) - 1)
                if found.in_the_middle or found.verdict != EXACT or not left:
                    break
                retried(found)
            yield found
