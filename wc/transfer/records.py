"""A replica's state as a file: records that can each be merged, in the order in which they stand.

What is written is a sequence of records, and reading gives the same ones. A file is read as a
stream, so what was merged before a damaged member was right. No Redis here. The members, one by
one, are in docs/state-format.md; the tar around them is wc/transfer/container.py.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wc.core.delta_batches import BATCH_BYTES, BATCH_DOTS
from wc.counts import delta
from wc.jobs import manifest
from wc.jobs.spec import JobSpec
from wc.transfer.container import MemberWriter, StateError, content, damaged, members

#: Redis' bitmaps have no more bits.
MOST_DOTS = 2**32 - 1


@dataclass(frozen=True)
class Job:
    """A job's specification; what follows of the job comes after it."""

    spec: JobSpec


@dataclass(frozen=True)
class Seal:
    """A sealed revision of an origin's manifest: its splits, and how many of them are retracted."""

    job: str
    origin: str
    total: int
    revision: int
    retracted: int


@dataclass(frozen=True)
class ManifestCopy:
    """The copy of an origin's manifest, packed."""

    job: str
    origin: str
    packed: bytes

    @property
    def revision(self) -> int:
        """Of the manifest. Raises ManifestError."""
        return manifest.unpack(self.packed).revision


@dataclass(frozen=True)
class Base:
    """The sum of dots 1..through but the ``excluded`` ones (a bitmap); ``digest`` is that of dots
    1..through."""

    job: str
    origin: str
    through: int
    excluded: bytes
    digest: str
    packed: bytes


@dataclass(frozen=True)
class Dots:
    """Dots with their deltas; ``retracted`` if they are in N besides."""

    job: str
    origin: str
    retracted: bool
    deltas: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class Marks:
    """All retracted dots, as a bitmap."""

    job: str
    origin: str
    retracted: bytes


@dataclass(frozen=True)
class Dead:
    """Splits that were given up: seq -> why."""

    job: str
    origin: str
    errors: dict[int, Any]


Record = Job | Seal | ManifestCopy | Base | Dots | Marks | Dead


class Writer:
    """Writes records to ``out``. A file without ``close`` is refused by ``read``. OSError."""

    def __init__(self, out: BinaryIO, replica: str) -> None:
        self._members = MemberWriter(out, replica)
        self.close = self._members.close

    def write(self, record: Record) -> None:
        if isinstance(record, Job):
            spec = record.spec
            self._members.document(f"{spec.name}/job.json", json.loads(spec.to_json()))
            return
        place = f"{record.job}/{record.origin}"
        match record:
            case Seal(total=total, revision=revision, retracted=retracted):
                seal = {"total": total, "revision": revision, "due": retracted}
                self._members.document(f"{place}/seal.json", seal)
            case ManifestCopy(packed=packed):
                self._members.add(f"{place}/manifest", packed)
            case Base(through=through, excluded=excluded, digest=digest, packed=packed):
                facts = {"through": through, "taken": _text(excluded), "digest": digest}
                self._members.document(f"{place}/base.json", facts)
                self._members.add(f"{place}/base", packed)
            case Dots(retracted=retracted, deltas=deltas):
                for seq, packed in deltas:
                    self._members.add(f"{place}/{_side(retracted)}/{seq}", packed)
            case Marks(retracted=retracted):
                self._members.document(f"{place}/retracted.json", {"dots": _text(retracted)})
            case Dead(errors=errors):
                why = {str(seq): error for seq, error in errors.items()}
                self._members.document(f"{place}/dead.json", why)


def read(path: Path) -> Iterator[Record]:
    """The records of a file, in order; dots of one kind come in batches of bounded size.

    Raises StateError, after the records before the damage; OSError if it cannot be read.
    """
    batch: list[Dots] = []
    size = 0
    try:
        for record in _records(path):
            alike = isinstance(record, Dots) and (not batch or _kind(batch[0]) == _kind(record))
            if batch and (not alike or len(batch) >= BATCH_DOTS or size >= BATCH_BYTES):
                yield _joined(batch)
                batch, size = [], 0
            if isinstance(record, Dots):
                batch.append(record)
                size += len(record.deltas[0][1])
            else:
                yield record
    except StateError:
        if batch:
            yield _joined(batch)
        raise
    if batch:
        yield _joined(batch)


def _joined(batch: list[Dots]) -> Dots:
    return Dots(*_kind(batch[0]), tuple(pair for dots in batch for pair in dots.deltas))


def _kind(dots: Dots) -> tuple[str, str, bool]:
    return dots.job, dots.origin, dots.retracted


def _side(retracted: bool) -> str:
    return "negatives" if retracted else "deltas"


def _records(path: Path) -> Iterator[Record]:
    """One a member, but for a base, which takes two."""
    known: dict[str, tuple[str, ...]] = {}  # by job its origins
    facts: dict[str, Any] | None = None  # of the base that must come next
    for name, data in members(path):
        try:
            job, *rest = name.split("/")
            if facts is not None and not name.endswith("/base"):
                raise StateError("a base was to come here")
            if rest == ["job.json"]:
                spec = _spec(job, data)
                known[job] = spec.origins
                yield Job(spec)
            elif len(rest) < 2 or rest[0] not in known.get(job, ()):
                raise StateError(
                    "not known here: a job.json that names its job and origin is first"
                )
            elif rest[1:] == ["base.json"]:
                facts = content(data)
            elif rest[1:] == ["base"]:
                yield _base(job, rest[0], facts, data)
                facts = None
            else:
                yield _record(job, rest[0], rest[1:], data)
        except (ValueError, KeyError, TypeError, manifest.ManifestError) as error:
            raise damaged(name, error) from None


def _spec(job: str, data: bytes) -> JobSpec:
    spec = JobSpec.from_json(json.dumps(content(data)))
    if spec.name != job:
        raise StateError(f"it is the specification of job {spec.name}")
    return spec


def _base(job: str, origin: str, facts: dict[str, Any] | None, data: bytes) -> Base:
    if facts is None:
        raise StateError("base.json must come just before it")
    delta.unpack(data)
    if not re.fullmatch("[0-9a-f]{40}", facts["digest"]):
        raise StateError(f"digest {facts['digest']!r}: 40 hex digits expected")
    excluded = base64.b64decode(facts["taken"], validate=True)
    return Base(job, origin, _number(facts["through"], 1), excluded, facts["digest"], data)


def _record(job: str, origin: str, kind: list[str], data: bytes) -> Record:
    match kind:
        case ["seal.json"]:
            found = content(data)
            return Seal(job, origin, *(_number(found[k], 0) for k in ("total", "revision", "due")))
        case ["manifest"]:
            manifest.unpack(data)
            return ManifestCopy(job, origin, data)
        case ["retracted.json"]:
            return Marks(job, origin, base64.b64decode(content(data)["dots"], validate=True))
        case ["dead.json"]:
            return Dead(job, origin, {_number(s, 1): error for s, error in content(data).items()})
        case [("deltas" | "negatives") as side, seq]:
            delta.unpack(data)
            return Dots(job, origin, side == _side(True), ((_number(seq, 1), data),))
    raise StateError("no such member is known")


def _number(value: int | str, least: int) -> int:
    number = int(value)
    if str(number) != str(value) or not least <= number <= MOST_DOTS:
        raise StateError(f"{value!r}: a number from {least} to {MOST_DOTS} expected")
    return number


def _text(bitmap: bytes) -> str:
    return base64.b64encode(bitmap).decode()
