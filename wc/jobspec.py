"""What a job is: its options, and which origins hold its files.

The specification is written once, at submission, and is the same on every host and
replica. Which files an origin has is its manifest's business, not the specification's.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

#: A job's name becomes part of Redis keys and file names.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

MIB = 1 << 20
#: An "auto" split is between these, and small enough that every worker gets several.
SMALLEST_AUTO_SPLIT, LARGEST_AUTO_SPLIT = MIB // 4, 16 * MIB
#: How many splits an origin's bytes are cut into, at least, when they are few.
AUTO_SPLITS = 8
#: A worker claims small splits together, up to about this many bytes and splits.
BATCH_BYTES, BATCH_SPLITS = MIB, 64


class SpecError(ValueError):
    """A job option is out of range; the message says what is allowed."""


@dataclass(frozen=True)
class JobSpec:
    """A job's options. Sizes in bytes; ``batch`` is splits per claim."""

    name: str
    input: str
    tokenizer: str
    errors: str
    split_bytes: int
    batch: int
    origins: tuple[str, ...]
    shared: bool
    created: float

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise SpecError(
                f"job name {self.name!r}: use 1 to 64 letters, digits, '.', '_' or '-', "
                "beginning with a letter or digit"
            )
        if self.errors not in ("strict", "replace"):
            raise SpecError(f"encoding errors {self.errors!r}: allowed are strict and replace")
        if self.split_bytes < 1:
            raise SpecError(f"split size {self.split_bytes}: must be at least 1 byte")
        if not self.origins:
            raise SpecError(f"job {self.name}: no origin has any input")

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def same_work(self, other: JobSpec) -> bool:
        """Whether both ask for the same counts (so that one may attach to the other)."""
        return (self.input, self.tokenizer, self.errors) == (
            other.input,
            other.tokenizer,
            other.errors,
        )


def from_json(text: str | bytes) -> JobSpec:
    """Parse ``JobSpec.to_json``. Raises SpecError."""
    try:
        raw = json.loads(text)
        return JobSpec(**{**raw, "origins": tuple(raw["origins"])})
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"not a job specification: {error}") from None


def auto_split_bytes(total_bytes: int, origins: int) -> int:
    """A split size with which every worker gets several splits, between 256 KB and 16 MB."""
    share = total_bytes // max(1, origins)
    return max(SMALLEST_AUTO_SPLIT, min(LARGEST_AUTO_SPLIT, share // AUTO_SPLITS))


def batch_for(files: int, total_bytes: int, split_bytes: int) -> int:
    """How many splits a worker claims at once, so that small ones share their round trips."""
    mean = max(1, min(split_bytes, total_bytes // max(1, files)))
    return max(1, min(BATCH_SPLITS, BATCH_BYTES // mean))
