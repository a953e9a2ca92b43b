"""Read repair: bring replicas together by copying only the dots that some of them lack.

The applied bitmaps of the reachable replicas are compared; each missing delta is fetched
once, from a replica that has it, and applied to all that lack it. Cost follows the
difference, not the size. Applying is the same idempotent merge that commits use, so
repair may run twice at once, be cut short, or race with workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import redis

from wc import bitmap
from wc.batches import batches
from wc.replicas import Replica, ReplicaSet, Unavailable
from wc.store import JobStore


@dataclass
class Report:
    """What a repair saw and did. ``reached`` names the replicas that took part; ``missing`` and
    ``copied`` count dots, once for each replica that lacked them; ``bytes`` were fetched."""

    reached: set[str] = field(default_factory=set)
    compared: int = 0
    missing: int = 0
    copied: int = 0
    bytes: int = 0


class Repair:
    """A repair of one job. ``sources`` and ``targets`` name replicas; None means all."""

    def __init__(
        self,
        replicas: ReplicaSet,
        job: str,
        origins: Sequence[str],
        *,
        sources: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> None:
        self._replicas = replicas
        self._job = job
        self._origins = origins
        self._sources = set(replicas.by_name if sources is None else sources)
        self._targets = set(replicas.by_name if targets is None else targets)

    def run(self, *, check: bool = False) -> Report:
        """Compare, and unless ``check`` copy what is missing. Never raises for a lost replica."""
        report = Report()
        for origin in self._origins:
            self._origin(origin, report, check)
        if not check:
            self._spread_seals()
            self._spread_dead()
        return report

    def _origin(self, origin: str, report: Report, check: bool) -> None:
        have = self._replicas.call_all(
            lambda client, _: JobStore(client, self._job).bitmap(origin), self._involved()
        )
        report.reached.update(have)
        offered = bitmap.union([have[name] for name in have if name in self._sources])
        report.compared += bitmap.count(bitmap.union(list(have.values())))
        lacks = {
            name: set(bitmap.members(bitmap.missing(bits, offered)))
            for name, bits in have.items()
            if name in self._targets
        }
        wanted = set().union(*lacks.values())
        report.missing += sum(map(len, lacks.values()))
        if check:
            return
        for name in sorted(have.keys() & self._sources):
            gives = sorted(wanted.intersection(bitmap.members(have[name])))
            wanted.difference_update(gives)
            self._copy(origin, self._replicas.by_name[name], gives, lacks, report)

    def _copy(
        self,
        origin: str,
        source: Replica,
        seqs: list[int],
        lacks: dict[str, set[int]],
        report: Report,
    ) -> None:
        def fetch(asked: list[int]) -> list[bytes | None]:
            return source.call(lambda client: JobStore(client, self._job).deltas(origin, asked))

        try:
            for deltas in batches(seqs, fetch):
                report.bytes += sum(len(delta) for _, delta in deltas)
                report.copied += self._apply(origin, deltas, lacks)
        except Unavailable:
            return  # what is left is for the next repair

    def _apply(
        self, origin: str, deltas: list[tuple[int, bytes]], lacks: dict[str, set[int]]
    ) -> int:
        def write(client: redis.Redis, name: str) -> int:
            mine = [(seq, delta) for seq, delta in deltas if seq in lacks[name]]
            return sum(JobStore(client, self._job).apply(origin, mine)) if mine else 0

        takers = [self._replicas.by_name[name] for name in lacks]
        return sum(self._replicas.call_all(write, takers).values())

    def _spread_seals(self) -> None:
        """Totals of sealed manifests: known to one replica, then to all."""
        totals: dict[str, int] = {}
        for status in self._replicas.call_all(
            lambda client, _: JobStore(client, self._job).status(self._origins), self._involved()
        ).values():
            totals |= {n: o.total for n, o in status.origins.items() if o.total is not None}

        def seal(client: redis.Redis, _: str) -> None:
            for origin, total in totals.items():
                JobStore(client, self._job).seal(origin, total)

        self._replicas.call_all(seal, self._involved(self._targets))

    def _spread_dead(self) -> None:
        """Splits that were given up: known to one replica, then to all."""
        found = self._replicas.call_all(
            lambda client, _: JobStore(client, self._job).dead(), self._involved()
        )
        dead: dict[str, dict[int, Any]] = {origin: {} for origin in self._origins}
        for known in found.values():
            for dot, error in known.items():
                origin, _, seq = dot.rpartition("/")
                if origin in dead:
                    dead[origin][int(seq)] = error

        def tell(client: redis.Redis, _: str) -> None:
            for origin, errors in dead.items():
                if errors:
                    JobStore(client, self._job).bury(origin, errors)

        self._replicas.call_all(tell, self._involved(self._targets))

    def _involved(self, names: set[str] | None = None) -> list[Replica]:
        chosen = self._sources | self._targets if names is None else names
        return [replica for replica in self._replicas.available() if replica.name in chosen]
