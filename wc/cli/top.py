"""The most frequent words of a job, from one replica."""

from __future__ import annotations

from typing import Any

from wc.backends.api import ResultStore
from wc.jobs.spec import JobSpec
from wc.replication.merged_view import View


def top(store: ResultStore, spec: JobSpec, limit: int) -> dict[str, Any]:
    """The ``limit`` most frequent words (0: all), by count and then by the word, descending.

    Read from the published sorted set where it is up to date and has so many; else folded from the
    deltas, as while the job runs. Returns {"job", "complete", "applied", "total", "words"}.
    """
    status = store.status(spec.origins)
    totals = [origin.total for origin in status.origins.values()]
    enough = not spec.publish or 0 < limit <= spec.publish
    if enough and status.published == status.digest and status.published:
        words = store.published_top(limit)
    else:
        view = View(spec.origins)
        view.refresh(store)
        words = view.tally.top(limit)
    return {
        "job": spec.name,
        "complete": status.settled and not any(o.dead for o in status.origins.values()),
        "applied": status.applied,
        "total": None if None in totals else sum(total or 0 for total in totals),
        "words": words,
    }
