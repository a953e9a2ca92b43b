"""How often some words were counted in a job, from one replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wc.backends.api import ResultStore
from wc.cli.top import state
from wc.jobs.spec import JobSpec
from wc.replication.merged_view import WordsView


def count(store: ResultStore, spec: JobSpec, words: Sequence[str]) -> dict[str, Any]:
    """The counts of these words, 0 for those that were not counted.

    Read from the published sorted set where it is up to date and has them, or has all words; else
    looked up in the deltas. Returns {"job", "tokenizer", "complete", "applied", "total", "words"}.
    """
    status = store.status(spec.origins)
    counts: dict[str, int | None] = dict.fromkeys(words)
    if status.published == status.digest:
        extent, found = store.published_counts(list(counts))
        # An earlier version leaves no extent.
        complete = not spec.publish if extent is None else extent.complete
        counts = {
            word: 0 if one is None and complete else one
            for word, one in zip(counts, found, strict=True)
        }
    if rest := [word for word, one in counts.items() if one is None]:
        view = WordsView(spec.origins, rest)
        view.refresh(store)
        counts |= {word: view.tally.get(word) for word in rest}
    return state(spec, status) | {"tokenizer": spec.tokenizer, "words": list(counts.items())}
