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

from wc.backends.api import Claim
from wc.counts import kernel
from wc.inputs import split_reader
from wc.inputs.shared_split_reader import Together
from wc.inputs.split_reader import Pieces, Source
from wc.jobs.spec import JobSpec
from wc.jobs.splits import AnyTask, SharedTask
from wc.text import tokenizers

log = logging.getLogger(__name__)

#: Errors that the same bytes, or the same missing bytes, give again.
FINAL = (
    kernel.BadEncoding,
    kernel.BadRecord,
    split_reader.InputChanged,
    split_reader.BadInput,
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
    pieces = _open(task, tokenizers.tokenizer(spec.tokenizer).splittable)
    try:
        return kernel.count(wrap(pieces), spec.tokenizer, spec.errors)
    except Abandoned:
        pieces.close()
        raise
    except Exception as error:  # whatever it is, it is recorded and the worker lives on
        final = isinstance(error, FINAL)
        if not final:
            log.exception("%s: %s", spec.name, task.describe())
        path, reason = _describe(error, pieces)
        return Failure(
            {
                "error": reason + _waiting(task),
                "path": path,
                "offset": 0 if isinstance(task, SharedTask) else task.offset,
                "length": task.length,
                "worker": worker,
                "at": time.time(),
            },
            final,
        )


def _open(task: AnyTask, splittable: bool) -> Pieces | Together:
    if isinstance(task, SharedTask):
        return Together(task.parts)
    source = Source(
        path=task.path,
        offset=task.offset,
        length=task.length,
        size=task.size,
        mtime_ns=task.mtime_ns,
        compression=task.compression,
    )
    return split_reader.open_pieces(source, splittable)


def _describe(error: Exception, pieces: Pieces | Together) -> tuple[str, str]:
    """The file that an error is about, and what is wrong with it."""
    if isinstance(error, kernel.BadEncoding):
        path, offset = pieces.place(error.offset)
        return path, (
            f"{path}: not UTF-8 at byte {offset} ({error.reason}); "
            "mend the file, or count with --encoding-errors replace"
        )
    text, path = str(error), pieces.path
    return path, text if path in text else f"{path}: {type(error).__name__}: {text}"


def _waiting(task: AnyTask) -> str:
    """Who else is not counted because of it."""
    if not isinstance(task, SharedTask):
        return ""
    others = task.files - 1
    who = "1 more file shares" if others == 1 else f"{others} more files share"
    return f"; {who} its split, to be counted once it is mended or taken out with fab retract"
