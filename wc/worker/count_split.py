"""From a claimed split to its delta, or to the reason why there is none.

A delta is a pure function of the split's bytes, so what failed because of the bytes fails again
anywhere: such a failure is final. What may be the machine's fault is tried again when the lease has
run out, by whoever takes the split over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from wc.backends.api import Claim
from wc.core.printable import printable
from wc.counts import kernel
from wc.inputs import split_reader
from wc.inputs.shared_split_reader import SharedSplitReader
from wc.inputs.split_reader import SplitReader
from wc.jobs.spec import JobSpec
from wc.jobs.splits import SharedSplit, Split
from wc.text import tokenizers
from wc.text.word_limit import LONGEST_WORD

log = logging.getLogger(__name__)

#: The most bytes of a value in Redis, and so of a delta.
LARGEST_DELTA = 512 << 20


class TooManyWords(ValueError):
    """The counts of a split are more than Redis stores in one value."""


#: Errors that the same bytes, or the same missing bytes, give again.
FINAL = (
    kernel.BadEncoding,
    kernel.BadRecord,
    kernel.WordTooLong,
    split_reader.InputChanged,
    split_reader.BadInput,
    TooManyWords,
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
)


@dataclass(frozen=True)
class Failure:
    """Why a split could not be counted; ``final`` if trying again cannot help; ``here`` if it may
    be so on this host alone."""

    error: dict[str, Any]
    final: bool
    here: bool


class Abandoned(Exception):
    """The split is not this worker's any more: another one has it, or has done it."""


Wrap = Callable[[Iterable[bytes]], Iterable[bytes]]


def count_split(spec: JobSpec, claim: Claim, worker: str, wrap: Wrap) -> bytes | Failure:
    """Count one split's words. ``wrap`` goes around its pieces, and may raise Abandoned."""
    split = claim.split
    pieces = _reader(split, tokenizers.tokenizer(spec.tokenizer).splittable)
    try:
        delta = kernel.count(wrap(pieces), spec.tokenizer, spec.errors)
        if len(delta) > LARGEST_DELTA:
            raise TooManyWords(
                f"{split.describe()}: its counts take {len(delta):,} bytes, Redis stores "
                f"{LARGEST_DELTA:,}; use a smaller --split-size, or cut a file that is read whole"
            )
        return delta
    except Abandoned:
        pieces.close()
        raise
    except Exception as error:  # whatever it is, it is recorded and the worker lives on
        final = isinstance(error, FINAL)
        if not final:
            log.exception("%s: %s", spec.name, split.describe())
        path, reason = _describe(error, pieces)
        return Failure(
            {
                "error": reason + _affected(split),
                "path": path,
                "offset": 0 if isinstance(split, SharedSplit) else split.offset,
                "length": split.length,
                "worker": worker,
                "at": time.time(),
            },
            final,
            # As when the mount that the file is on is gone.
            spec.shared and isinstance(error, OSError),
        )


def _reader(split: Split, splittable: bool) -> SplitReader | SharedSplitReader:
    if isinstance(split, SharedSplit):
        return SharedSplitReader(split)
    return SplitReader(split, splittable)


def _describe(error: Exception, pieces: SplitReader | SharedSplitReader) -> tuple[str, str]:
    """The file that an error is about, and what is wrong with it."""
    if isinstance(error, kernel.BadEncoding):
        path, offset = pieces.place(error.offset)
        return path, (
            f"{printable(path)}: not UTF-8 at byte {offset} ({error.reason}); "
            "mend the file, or count with --encoding-errors replace"
        )
    if isinstance(error, kernel.WordTooLong) and isinstance(pieces, SplitReader):
        # It has just been read; and is a quarter as long at least, if bad bytes were replaced.
        path, offset = pieces.place(pieces.read - LONGEST_WORD // 4)
        return path, f"{printable(path)}: {error} at byte {offset}; is it text?"
    text, path = str(error), pieces.path
    shown = printable(path)
    return path, text if shown in text else f"{shown}: {type(error).__name__}: {text}"


def _affected(split: Split) -> str:
    """Which other files are not counted because of it."""
    if not isinstance(split, SharedSplit):
        return ""
    others = split.file_count - 1
    who = "1 more file shares" if others == 1 else f"{others} more files share"
    return f"; {who} its split, to be counted once it is mended or taken out with fab retract"
