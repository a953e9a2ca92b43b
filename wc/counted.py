"""From a claimed split to its delta, or to the reason why there is none.

A delta is a pure function of the split's bytes, so what failed because of the bytes
fails again anywhere: such a failure is final. What may be the machine's fault is
tried again when the lease has run out, by whoever takes it over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from wc import counting, reading, tokenizers
from wc.jobspec import JobSpec
from wc.queue import Claim

log = logging.getLogger(__name__)

#: Errors that the same bytes, or the same missing bytes, give again.
FINAL = (
    counting.BadEncoding,
    counting.BadRecord,
    reading.InputChanged,
    reading.BadInput,
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
)


@dataclass(frozen=True)
class Failure:
    """Why a split could not be counted; ``final`` if trying again cannot help."""

    error: dict[str, Any]
    final: bool


class Abandoned(Exception):
    """The split is not this worker's any more: another one has it, or has done it."""


Wrap = Callable[[Iterable[bytes]], Iterable[bytes]]


def count_split(spec: JobSpec, claim: Claim, worker: str, wrap: Wrap) -> bytes | Failure:
    """Count one split's words. ``wrap`` goes around its pieces, and may raise Abandoned."""
    task = claim.task
    source = reading.Source(
        path=task.path,
        offset=task.offset,
        length=task.length,
        size=task.size,
        mtime_ns=task.mtime_ns,
        compression=task.compression,
    )
    pieces = reading.open_pieces(source, tokenizers.tokenizer(spec.tokenizer).splittable)
    try:
        return counting.count(wrap(pieces), spec.tokenizer, spec.errors)
    except Abandoned:
        pieces.close()
        raise
    except Exception as error:  # whatever it is, it is recorded and the worker lives on
        final = isinstance(error, FINAL)
        if not final:
            log.exception("%s: %s", spec.name, task.describe())
        return Failure(
            {
                "error": _describe(error, task.path, pieces.start),
                "path": task.path,
                "offset": task.offset,
                "length": task.length,
                "worker": worker,
                "at": time.time(),
            },
            final,
        )


def _describe(error: Exception, path: str, start: int) -> str:
    if isinstance(error, counting.BadEncoding):
        return (
            f"{path}: not UTF-8 at byte {start + error.offset} ({error.reason}); "
            "mend the file, or count with --encoding-errors replace"
        )
    text = str(error)
    return text if path in text else f"{path}: {type(error).__name__}: {text}"
