"""One trial of a set of links: start a job, cut the links in its middle, heal, compare every count.

The applied splits are counted as root, whose packets the cut does not drop: once before the cut,
and once when it is in force. A job was in the middle if some splits were applied at the first count
and not all at the second. While the links are cut, connecting proves that they are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from control import verify
from control.cluster import Answer, Cluster, HostError
from control.jobs import job_progress, job_start
from control.read_repair import read_repair
from faults.network import orders as partition_orders
from faults.network import reachability
from faults.network.partition import Damage
from faults.network.topology import Cut, Cuts
from provision.connect.contract import ConnectorError
from provision.connect.hosts import answers

EXACT, INEXACT, UNKNOWN = "exact", "not exact", "unknown"

#: The deadline of the cut, which matters only if this program dies; it heals the cut itself.
CUT_SECONDS = 60.0
#: A connection that is not made within so many seconds is cut.
SILENCE_SECONDS = 0.4
#: Deadlines for what takes about a second on an idle machine.
BEGIN_SECONDS, END_SECONDS = 60.0, 180.0
DIFFERENCES = 5


class TrialFailed(Exception):
    """A trial could not be brought to its end; the message says why."""


@dataclass(frozen=True)
class Trial:
    """The result of a trial: splits applied before the cut and after it began, times in seconds."""

    links: tuple[Cut, ...]
    job: str
    verdict: str
    reason: str = ""
    splits: int = 0
    before: int = 0
    after: int = 0
    cut_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def in_the_middle(self) -> bool:
        return self.before > 0 and self.after > 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"in_the_middle": self.in_the_middle}


@dataclass(frozen=True)
class Job:
    """A prepared job: its specification, its number of splits, and its recounted words."""

    spec: Answer
    splits: int
    expected: Counter[str]


def words(links: Iterable[Cut]) -> str:
    """As `fab partition --links` takes it: h1:h1,h2:h3."""
    return ",".join(f"{a}:{b}" for a, b in sorted(links))


def run(cluster: Cluster, links: Cuts, job: Job, idle: Callable[[], None]) -> Trial:
    """Try one set of links. `idle()` is called while the links are cut, for other work."""
    begun = time.monotonic()
    figures: dict[str, Any] = {"splits": job.splits}
    try:
        answers(job_start.activate(cluster, job.spec))
        figures["before"] = _some_applied(cluster, job)
        with_links = time.monotonic()
        applied = _cut(cluster, links, job, idle)
        figures["cut_seconds"] = time.monotonic() - with_links
        figures["after"] = job.splits - applied
        _await_end(cluster, job)
        verdict, reason = _compare(cluster, job)
    except (TrialFailed, ConnectorError) as error:
        verdict, reason = UNKNOWN, str(error)
    seconds = time.monotonic() - begun
    name = str(job.spec["name"])
    return Trial(tuple(sorted(links)), name, verdict, reason, seconds=seconds, **figures)


def _count_applied(cluster: Cluster, job: Job) -> int:
    """How many splits at least one replica has applied."""
    first = cluster.inventory.replicas[0]
    words = ("repair", "--check", "--job", job.spec["name"])
    return int(cluster.ask(first, *words, as_root=True)["compared"])


def _some_applied(cluster: Cluster, job: Job) -> int:
    end = time.monotonic() + BEGIN_SECONDS
    while not (found := _count_applied(cluster, job)):
        if time.monotonic() > end:
            raise TrialFailed(f"no split was counted within {BEGIN_SECONDS:g} s")
    return found


def _cut(cluster: Cluster, links: Cuts, job: Job, idle: Callable[[], None]) -> int:
    """Cut the links, measure, heal. Returns how many splits were applied when they were cut."""
    orders = partition_orders.orders(cluster.inventory, Damage(frozenset(), links), CUT_SECONDS)
    try:
        for error in partition_orders.begin(cluster, orders).values():
            raise TrialFailed(str(error))
        applied = _count_applied(cluster, job)
        idle()
        rows, failed = reachability.matrix(cluster, SILENCE_SECONDS)
    finally:
        stays = partition_orders.end(cluster, orders)
    for error in (*failed.values(), *stays.values()):
        raise TrialFailed(str(error))
    for a, b in sorted(links):
        if not rows[a][b]:
            raise TrialFailed(f"{a} still reached {b}: the cut had no effect")
    return applied


def _await_end(cluster: Cluster, job: Job) -> None:
    def within_time(progress: job_progress.Progress) -> None:
        if progress.seconds > END_SECONDS:
            raise TrialFailed(
                f"not ended {END_SECONDS:g} s after the links were back: {progress.phase},"
                f" {progress.settled} of {job.splits} splits"
            )

    progress = job_progress.follow(cluster, job.spec, within_time)
    for name, outcome in progress.outcomes.items():
        if not outcome["complete"]:
            raise TrialFailed(f"{name}: the job is incomplete: {outcome['dead']}")


def _compare(cluster: Cluster, job: Job) -> tuple[str, str]:
    """Repair, then compare every word of every replica: a verdict and its reason."""
    answer = read_repair(cluster, job.spec["name"], [], [], check=False)
    if not answer["converged"]:
        return INEXACT, f"the replicas differ after a read repair: {answer}"
    there = cluster.inventory.replicas
    compared = verify.compare(cluster, job.spec, job.expected, DIFFERENCES, there)
    for name, found in compared.items():
        if isinstance(found, HostError):
            raise found
        if found["different"]:
            return INEXACT, f"{name}: {found['different']} words differ: {found['differences']}"
    return EXACT, ""
