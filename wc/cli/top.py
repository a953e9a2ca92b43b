"""The most frequent words of a job, from one replica."""

from __future__ import annotations

from typing import Any

from wc.backends.api import ResultStore
from wc.crdt.status import JobStatus
from wc.jobs.spec import JobSpec
from wc.replication.merged_view import View


def top(store: ResultStore, spec: JobSpec, limit: int) -> dict[str, Any]:
    """The ``limit`` most frequent words (0: all), by count and then by the word, descending.

    Read from the published sorted set where it is up to date and has so many; else folded from the
    deltas, as while the job runs. Returns {"job", "complete", "applied", "total", "words"}.
    """
    status = store.status(spec.origins)
    if status.published == status.digest and _has_so_many(store, spec, limit):
        words = store.published_top(limit)
    else:
        view = View(spec.origins)
        view.refresh(store)
        words = view.tally.top(limit)
    return state(spec, status) | {"words": words}


def state(spec: JobSpec, status: JobStatus) -> dict[str, Any]:
    """What of a job this replica has: {"job", "complete", "applied", "total"}, numbers of splits
    whose files count; total None while it is not known."""
    totals = [origin.live_total for origin in status.origins.values()]
    return {
        "job": spec.name,
        "complete": status.settled and not any(o.dead for o in status.origins.values()),
        "applied": sum(origin.live_applied for origin in status.origins.values()),
        "total": None if None in totals else sum(total or 0 for total in totals),
    }


def _has_so_many(store: ResultStore, spec: JobSpec, limit: int) -> bool:
    """Whether the sorted set has the ``limit`` most frequent words (0: all)."""
    extent = store.extent()
    if extent is None:  # an earlier version published it
        return not spec.publish or 0 < limit <= spec.publish
    return extent.complete or 0 < limit <= extent.words
