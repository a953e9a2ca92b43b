"""Proof: recount the inputs serially, and compare every word with what a replica holds.

The recount is an implementation of its own (wc/verify/serial_count.py): no splits, no deltas, no
Redis. The comparison looks at both forms of a replica's result: the merge of its deltas,
and the sorted set it published.
"""

from __future__ import annotations

import heapq
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wc.backends.api import Extent, ResultStore
from wc.core.printable import printable
from wc.jobs.manifest import Manifest
from wc.jobs.spec import JobSpec
from wc.replication.merged_view import View
from wc.verify import serial_count


class CannotTell(Exception):
    """The inputs are not what was counted, so nothing can be proved; the message says why."""


def recount(
    manifest: Manifest, spec: JobSpec, out: Path, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Count an origin's inputs serially; write {word: count} as JSON to ``out``.

    Raises CannotTell if an input changed since the job, or cannot be read.
    """
    files = manifest.live
    for file in files:
        try:
            found = os.stat(file.path)
        except OSError as error:
            raise CannotTell(f"{printable(file.path)}: {error.strerror}; {_update(spec)}") from None
        if (found.st_size, found.st_mtime_ns) != (file.size, file.mtime_ns):
            raise CannotTell(
                f"{printable(file.path)} changed since it was counted; {_update(spec)}"
            )
    try:
        counts = serial_count.count_files(
            [file.path for file in files],
            spec.tokenizer,
            spec.errors,
            progress,
            {file.path for file in files if file.compression == "mark"},
        )
    except (OSError, ValueError) as error:
        raise CannotTell("; ".join([str(error), *getattr(error, "__notes__", [])])) from None
    out.write_text(json.dumps(counts))
    return {"files": len(files), "bytes": sum(f.size for f in files), "words": len(counts)}


def _update(spec: JobSpec) -> str:
    return f"`fab start-job --update --name {spec.name}` counts what changed"


def compare(
    store: ResultStore, spec: JobSpec, expected: Mapping[str, int], limit: int
) -> dict[str, Any]:
    """Every word of one replica's merged value and published set against ``expected``, of which
    the set may have to have the most frequent words only; and what its extent says of that.

    Returns {"merged": words, "published": words, "different": how many,
    "differences": the first [form, word, expected, found]}; of the form "extent" the word is what
    is numbered.
    """
    view = View(spec.origins)
    view.refresh(store)
    merged = dict(view.tally.items())
    published = dict(store.published())
    first = _most_frequent(expected, spec.publish) if spec.publish else expected
    right_extent = Extent(len(first), len(expected), spec.publish)
    extent = store.extent() or right_extent  # an earlier version leaves none
    differences = []
    for form, right, found in (
        ("extent", right_extent._asdict(), extent._asdict()),
        ("merged", expected, merged),
        ("published", first, published),
    ):
        words = sorted(
            word for word in right.keys() | found.keys() if right.get(word, 0) != found.get(word, 0)
        )
        differences += [[form, w, right.get(w, 0), found.get(w, 0)] for w in words]
    return {
        "merged": len(merged),
        "published": len(published),
        "different": len(differences),
        "differences": differences[:limit],
    }


def _most_frequent(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """The most frequent words, of equals the greater, as ZREVRANGE orders them."""
    # Code points order strings just as UTF-8 orders their bytes.
    best = heapq.nlargest(most, ((count, word) for word, count in counts.items()))
    return {word: count for count, word in best}


def read_expected(path: Path) -> Counter[str]:
    """The sum of recounts, as the controller wrote it."""
    return Counter(json.loads(path.read_text()))
