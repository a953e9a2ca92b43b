"""Repair: bring replicas together by copying only the dots that some of them lack.

The applied bitmaps of all reachable replicas are compared; each missing delta is
fetched once, from a replica that has it, and applied to all that lack it. Cost follows
the difference, not the size. Applying is the same idempotent merge that commits use, so
repair may run twice at once, be cut short, or race with workers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import redis

from wc import bitmap
from wc.replicas import Replica, ReplicaSet
from wc.store import JobStore

#: Deltas fetched and applied in one round trip: at most this many, and about these bytes.
BATCH_DOTS = 64


@dataclass
class Report:
    """What a repair saw and did. ``reached`` names the replicas that took part."""

    reached: list[str] = field(default_factory=list)
    compared: int = 0
    missing: int = 0
    copied: int = 0
    bytes: int = 0


def repair(replicas: ReplicaSet, job: str, origins: Sequence[str]) -> Report:
    """Copy every dot that a reachable replica lacks and another has."""
    report = Report(reached=[replica.name for replica in replicas.available()])
    for origin in origins:
        _repair_origin(replicas, job, origin, report)
    _spread_seals(replicas, job, origins)
    _spread_dead(replicas, job, origins)
    return report


def _repair_origin(replicas: ReplicaSet, job: str, origin: str, report: Report) -> None:
    def read(client: redis.Redis, _: str) -> bytes:
        return JobStore(client, job).bitmap(origin)

    have = replicas.call_all(read)
    everything = bitmap.union(list(have.values()))
    report.compared += bitmap.count(everything)
    lacks = {
        name: set(bitmap.members(bitmap.missing(bits, everything))) for name, bits in have.items()
    }
    wanted = set().union(*lacks.values())
    report.missing += sum(map(len, lacks.values()))
    for donor, bits in have.items():
        gives = sorted(seq for seq in bitmap.members(bits) if seq in wanted)
        wanted.difference_update(gives)
        for seqs in _batches(gives):
            _copy(replicas, job, origin, replicas.by_name[donor], seqs, lacks, report)


def _copy(
    replicas: ReplicaSet,
    job: str,
    origin: str,
    donor: Replica,
    seqs: list[int],
    lacks: dict[str, set[int]],
    report: Report,
) -> None:
    def fetch(client: redis.Redis, _: str) -> list[bytes | None]:
        return JobStore(client, job).deltas(origin, seqs)

    fetched = replicas.call_all(fetch, [donor]).get(donor.name, [])
    deltas = {seq: d for seq, d in zip(seqs, fetched, strict=False) if d is not None}
    report.bytes += sum(map(len, deltas.values()))

    def write(client: redis.Redis, name: str) -> int:
        mine = [(seq, delta) for seq, delta in deltas.items() if seq in lacks[name]]
        return sum(JobStore(client, job).apply(origin, mine)) if mine else 0

    takers = [replicas.by_name[name] for name in lacks if lacks[name].intersection(deltas)]
    report.copied += sum(replicas.call_all(write, takers).values())


def _spread_seals(replicas: ReplicaSet, job: str, origins: Sequence[str]) -> None:
    """Totals of sealed manifests: known to one replica, then to all."""
    totals: dict[str, int] = {}
    for status in replicas.call_all(lambda c, _: JobStore(c, job).status(origins)).values():
        totals |= {name: o.total for name, o in status.origins.items() if o.total is not None}

    def seal(client: redis.Redis, _: str) -> None:
        for origin, total in totals.items():
            JobStore(client, job).seal(origin, total)

    replicas.call_all(seal)


def _spread_dead(replicas: ReplicaSet, job: str, origins: Sequence[str]) -> None:
    """Splits that were given up: known to one replica, then to all."""
    found = replicas.call_all(lambda client, _: JobStore(client, job).dead())
    dead: dict[str, dict[int, Any]] = {origin: {} for origin in origins}
    for known in found.values():
        for dot, error in known.items():
            origin, _, seq = dot.rpartition("/")
            if origin in dead:
                dead[origin][int(seq)] = error
    for origin, errors in dead.items():
        if errors:

            def tell(client: redis.Redis, _: str, o: str = origin) -> None:
                JobStore(client, job).bury(o, dead[o])

            replicas.call_all(tell)


def _batches(seqs: list[int]) -> Iterator[list[int]]:
    rest = iter(seqs)
    while batch := list(islice(rest, BATCH_DOTS)):
        yield batch
