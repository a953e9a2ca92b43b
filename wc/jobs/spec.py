"""A job's specification: its options and its origins.

It is written once, when the job is submitted, and is the same on every host and replica. An
origin's files are listed in its manifest, not here.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, asdict, dataclass, fields

from wc.text import tokenizers

#: A job's name becomes part of Redis keys and file names.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

#: What JSON gives for a field of each type.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "tuple[str, ...]": (list, tuple),
}


class SpecError(ValueError):
    """A specification is invalid. The message says what is allowed, or what to do."""


@dataclass(frozen=True)
class JobSpec:
    """A job's options.

    ``split_bytes`` is in bytes, ``created`` in seconds since the epoch; ``batch`` is splits per
    claim; ``speculate``: whether idle workers run speculative copies of stragglers;
    ``write_quorum``: how many replicas must acknowledge a commit, 0 for the hosts' configuration;
    ``publish``: how many of the most frequent words are published, 0 for all; ``encodings``: of the
    files, those that earlier versions cannot read, so that these refuse the job; ``workers``: the
    only ones that count it, such as h1/worker-0; all if there are none. Raises SpecError.
    """

    name: str
    input: str
    tokenizer: str
    errors: str
    split_bytes: int
    batch: int
    origins: tuple[str, ...]
    shared: bool
    created: float
    speculate: bool = True
    write_quorum: int = 0
    publish: int = 0
    encodings: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()

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
        if self.publish < 0:
            raise SpecError(f"publish {self.publish}: must be 0 (all words) or more")
        if not self.origins:
            raise SpecError(f"job {self.name}: no origin has any input")

    def to_json(self) -> str:
        values = asdict(self)
        for name in ("encodings", "workers"):
            if not values[name]:
                del values[name]  # earlier versions know no such field
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> JobSpec:
        """The inverse of ``to_json``. Raises SpecError, also for what only a later version can do:
        whoever reads it may rely on every value."""
        try:
            raw = json.loads(text)
            if unknown := sorted(raw.keys() - {field.name for field in fields(cls)}):
                raise SpecError(
                    f"job {raw.get('name')}: a later version wrote its specification, with "
                    f"{', '.join(unknown)}; run `fab provision` from that version"
                )
            for field in fields(cls):
                value = raw.get(field.name, field.default)
                if value is MISSING or not isinstance(value, _KINDS[str(field.type)]):
                    raise SpecError(f"not a job specification: {field.name} is no {field.type}")
            if raw["tokenizer"] not in tokenizers.TOKENIZERS:
                raise SpecError(
                    f"job {raw['name']}: this version has the tokenizers "
                    f"{', '.join(tokenizers.TOKENIZERS)}, not {raw['tokenizer']!r}; "
                    "run `fab provision` from the version that started it"
                )
            if not all(isinstance(origin, str) for origin in raw["origins"]):
                raise SpecError("not a job specification: origins are no names")
            sequences = {
                "origins": tuple(raw["origins"]),
                "encodings": tuple(raw.get("encodings", ())),
                "workers": tuple(raw.get("workers", ())),
            }
            return cls(**{**raw, **sequences})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if isinstance(error, SpecError):
                raise
            raise SpecError(f"not a job specification: {error}") from None
