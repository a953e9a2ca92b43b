"""Read repair: bring replicas together by copying only the dots that some of them lack.

The bitmaps of the reachable replicas are compared; each missing delta is fetched once, from a
replica that has it, and applied to all that lack it. Cost follows the difference, not the
size. A replica that lacks what the others have already folded takes their base whole. All of
it ends in the same idempotent merges that commits use, so repair may run twice at once, be cut
short, or race with workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.core.delta_batches import BATCH_BYTES, batches
from wc.core.token_bucket import TokenBucket
from wc.crdt.dot_sets import DotSets
from wc.replication.delta_archive import Archive
from wc.replication.delta_search import search_deltas
from wc.replication.disputes import disputed_dots
from wc.replication.metadata_sync import sync_metadata


@dataclass
class Report:
    """What a repair saw and did. ``reached`` names the replicas that took part; ``missing`` and
    ``copied`` count dots, once for each replica and each side that lacked them; ``bytes`` were
    fetched. ``dropped`` of the missing ones are left for another time, as the bucket had no more
    to give. ``disputed`` are ORIGIN/seq of dots that none lacks, and of which not all have the same
    counts (wc/replication/disputes.py)."""

    reached: set[str] = field(default_factory=set)
    compared: int = 0
    missing: int = 0
    copied: int = 0
    dropped: int = 0
    bytes: int = 0
    disputed: list[str] = field(default_factory=list)


class Repair:
    """A repair of one job. ``sources`` and ``targets`` name replicas; None means all.

    ``archive`` is this host's, if it has one: for what no replica has by itself any more.
    ``bucket`` says how much may be moved; without one there is no limit.
    """

    def __init__(
        self,
        replicas: ReplicaSet,
        job: str,
        origins: Sequence[str],
        *,
        sources: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        archive: Archive | None = None,
        bucket: TokenBucket | None = None,
    ) -> None:
        self._replicas = replicas
        self._job = job
        self._origins = origins
        self._sources = set(replicas.by_name if sources is None else sources)
        self._targets = set(replicas.by_name if targets is None else targets)
        self._archive = archive
        self._bucket = bucket

    def run(self, *, check: bool = False) -> Report:
        """Compare, and unless ``check`` copy what is missing. Never raises for a lost replica."""
        report = Report()
        for origin in self._origins:
            self._repair_origin(origin, report, check)
        if not check:
            sync_metadata(
                self._replicas,
                self._job,
                self._origins,
                self._involved(self._sources | self._targets),
                self._involved(self._targets),
            )
        return report

    def _repair_origin(self, origin: str, report: Report, check: bool) -> None:
        have = self._dot_sets(origin)
        report.reached.update(have)
        applied = bitmap.union([h.applied for h in have.values()])
        report.compared += bitmap.count(applied)
        missing = [*self._lacks(have, "applied").values(), *self._lacks(have, "retracted").values()]
        report.missing += sum(map(len, missing))
        if not any(missing):
            found = disputed_dots(self._replicas, self._job, origin, have)
            report.disputed += (f"{origin}/{seq}" for seq in found)
            return
        if check:
            return
        if self._take_bases(origin, have, report):
            have = self._dot_sets(origin)
        self._copy_deltas(origin, have, report)
        if any(self._lacks(have, "retracted").values()):
            self._copy_marks(origin, have, report)

    def _dot_sets(self, origin: str) -> dict[str, DotSets]:
        involved = self._involved(self._sources | self._targets)
        return self._replicas.ask_all(
            lambda replica: replica.job(self._job).dot_sets(origin), involved
        )

    def _lacks(self, have: dict[str, DotSets], side: str) -> dict[str, set[int]]:
        """By target, the dots of one side that some source has and it has not."""
        offered = bitmap.union([getattr(have[n], side) for n in have if n in self._sources])
        return {
            name: set(bitmap.members(bitmap.difference(offered, getattr(dots, side))))
            for name, dots in have.items()
            if name in self._targets
        }

    # Dots that all sources have folded: the base, whole.

    def _take_bases(self, origin: str, have: dict[str, DotSets], report: Report) -> bool:
        changed = False
        givers = [name for name in sorted(have) if name in self._sources]
        for name, lacks in self._lacks(have, "applied").items():
            single: set[int] = set().union(*(have[g].offers(lacks) for g in givers))
            if not lacks - single:
                continue
            if not self._allowed():
                report.dropped += len(lacks - single)
                continue
            source = max(givers, key=lambda g: have[g].through)
            try:
                gained = self._take_base(origin, name, source, have, report)
            except (Unavailable, Rejected):
                continue  # rolled back meanwhile, or its own base goes further: next time
            report.copied += len({seq for seq in lacks if seq <= gained})
            changed = changed or gained > 0
        return changed

    def _take_base(
        self, origin: str, name: str, source: str, have: dict[str, DotSets], report: Report
    ) -> int:
        """Give ``name`` the base of ``source``; up to which dot that went."""
        giver, taker = self._replicas.by_name[source], self._replicas.by_name[name]
        dots, base = giver.job(self._job).base(origin)
        if base is None:
            return 0
        # The new base contains what the taker has retracted and the giver not, or not yet.
        marks = bitmap.difference(bitmap.up_to(have[name].retracted, dots.through), dots.excluded)
        known = self._contents(origin, list(bitmap.members(marks)))
        self._moved(len(base) + sum(map(len, known.values())), report)
        done = taker.job(self._job).rebase(
            origin, base, dots.through, dots.excluded, dots.base_digest, known.items()
        )
        return dots.through if done else 0

    # Dots that a source has by themselves.

    def _copy_deltas(self, origin: str, have: dict[str, DotSets], report: Report) -> None:
        lacks = self._lacks(have, "applied")
        missing: set[int] = set().union(*lacks.values())
        for name in sorted(have.keys() & self._sources):
            gives = sorted(have[name].offers(missing))
            missing.difference_update(gives)
            self._copy(origin, self._replicas.by_name[name], gives, lacks, report)
        if missing and self._archive is not None and self._allowed():
            self._apply(origin, self._archive.get(origin, sorted(missing)), lacks, report)

    def _copy(
        self,
        origin: str,
        source: Replica,
        seqs: list[int],
        lacks: dict[str, set[int]],
        report: Report,
    ) -> None:
        done = 0

        def fetch(asked: list[int]) -> list[bytes | None]:
            nonlocal done
            done += len(asked)
            return source.job(self._job).deltas(origin, asked)

        try:
            for deltas in batches(seqs, fetch, self._allowed):
                self._apply(origin, dict(deltas), lacks, report)
        except Unavailable:
            return  # what is left is for the next repair
        report.dropped += sum(len(lacked.intersection(seqs[done:])) for lacked in lacks.values())

    def _apply(
        self, origin: str, deltas: dict[int, bytes], lacks: dict[str, set[int]], report: Report
    ) -> None:
        def write(replica: Replica) -> int:
            mine = [(seq, delta) for seq, delta in deltas.items() if seq in lacks[replica.name]]
            return sum(replica.job(self._job).apply(origin, mine)) if mine else 0

        takers = [self._replicas.by_name[name] for name in lacks]
        self._moved(sum(map(len, deltas.values())), report)
        report.copied += sum(self._replicas.ask_all(write, takers).values())

    # Retracted dots.

    def _copy_marks(self, origin: str, have: dict[str, DotSets], report: Report) -> None:
        lacks = self._lacks(have, "retracted")
        if not self._allowed():
            report.dropped += sum(map(len, lacks.values()))
            return
        # Where the base contains such a dot, its counts must come with the mark.
        inside = {s for n, seqs in lacks.items() for s in seqs if s <= have[n].through}
        known = self._contents(origin, sorted(inside))
        self._moved(sum(map(len, known.values())), report)

        def write(replica: Replica) -> int:
            marks = [(seq, known.get(seq, b"")) for seq in sorted(lacks[replica.name])]
            return replica.job(self._job).retract(origin, marks).count(1) if marks else 0

        takers = [self._replicas.by_name[name] for name in lacks]
        report.copied += sum(self._replicas.ask_all(write, takers).values())

    def _contents(self, origin: str, seqs: list[int]) -> dict[int, bytes]:
        givers = self._involved(self._sources | self._targets)
        return search_deltas(givers, self._job, origin, seqs, self._archive)

    def _allowed(self) -> int:
        """Bytes that may be moved now; 0 where the rest has to wait for another repair."""
        return BATCH_BYTES if self._bucket is None else self._bucket.left()

    def _moved(self, count: int, report: Report) -> None:
        report.bytes += count
        if self._bucket is not None:
            self._bucket.take(count)

    def _involved(self, names: set[str]) -> list[Replica]:
        return [replica for replica in self._replicas.available() if replica.name in names]
