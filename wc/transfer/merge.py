"""Merging a file (wc/transfer/records.py) into replicas, each record by the merge all others use.

So a file may be merged at any time, again, and into a replica that is in use; what it has and a
replica lacks is there afterwards, and nothing is lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from wc.backends.api import Rejected
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.crdt.dot_sets import DotSets
from wc.jobs.spec import JobSpec
from wc.replication.delta_archive import Archive
from wc.replication.delta_search import search_deltas
from wc.transfer.records import Base, Dead, Dots, Job, ManifestCopy, Marks, Record, Seal, read
from wc.transfer.state_file import StateError

#: Dots that are retracted in one call.
RETRACT_DOTS = 500


def merge_file(
    replicas: ReplicaSet, targets: Sequence[str], path: Path, job: str, jobs: Path
) -> dict[str, Any]:
    """Merge a file's jobs, or the one named, into the target replicas.

    ``jobs`` is the folder with this host's job folders, whose archives may help.

    Returns {"jobs", "targets": {replica: {"copied", "left", "digests": {job: digest}}}}: dots,
    once for each side, that were new there, and that are in the file and still not there.
    Raises StateError, which for a damaged file is before anything is merged, Unavailable, Rejected.
    """
    unknown = [name for name in targets if name not in replicas.by_name]
    if unknown:
        known = ", ".join(sorted(replicas.by_name))
        raise StateError(f"target {unknown[0]!r}: allowed are the replicas {known}")
    merges = {name: _Merge(replicas, replicas.by_name[name], jobs) for name in targets}
    seen: list[str] = []
    for record in _chosen(path, job, seen):
        for merge in merges.values():
            merge.take(record)
    if not any(job in ("", name) for name in seen):
        asked = f"no job {job!r} in the state file" if job else "no job in the state file"
        raise StateError(f"{asked}; there are: {', '.join(seen) or 'none'}")
    return {
        "jobs": [name for name in seen if job in ("", name)],
        "targets": {name: merge.report() for name, merge in merges.items()},
    }


def _chosen(path: Path, job: str, seen: list[str]) -> Iterator[Record]:
    """The records of one job, or all; ``seen`` gets all jobs that the file has."""
    for record in read(path):
        if isinstance(record, Job):
            seen.append(record.job)
        if job in ("", record.job):
            yield record


class _Merge:
    """One replica that takes what a file has, record by record."""

    def __init__(self, replicas: ReplicaSet, target: Replica, jobs: Path) -> None:
        self._replicas = replicas
        self._target = target
        self._jobs = jobs
        self._specs: dict[str, JobSpec] = {}
        self._copied = 0
        # What the file has of each (job, origin): P and N.
        self._positive: dict[tuple[str, str], bytearray] = {}
        self._negative: dict[tuple[str, str], bytes] = {}

    def _dot_sets(self, job: str, origin: str) -> DotSets:
        return self._target.job(job).dot_sets(origin)

    def _digest(self, spec: JobSpec) -> str:
        return self._target.job(spec.name).status(spec.origins).digest

    def take(self, record: Record) -> None:
        match record:
            case Job(spec=spec):
                self._job(JobSpec.from_json(spec))
            case Seal(job=job, origin=origin, revision=revision, total=total, retracted=retracted):
                self._target.job(job).seal(origin, revision, total, retracted)
            case ManifestCopy(job=job, origin=origin, packed=packed):
                revision = record.revision
                self._target.job(job).keep_manifest(origin, revision, packed)
            case Dots():
                self._dots(record)
            case Base():
                self._base(record)
            case Marks():
                self._marks(record)
            case Dead(job=job, origin=origin, seq=seq, error=error):
                self._target.job(job).bury(origin, {seq: json.loads(error)})

    def report(self) -> dict[str, Any]:
        left = 0
        for (job, origin), positive in self._positive.items():
            held = self._dot_sets(job, origin)
            left += bitmap.count(bitmap.difference(positive, held.applied))
            negative = self._negative.get((job, origin), b"")
            left += bitmap.count(bitmap.difference(negative, held.retracted))
        digests = {name: self._digest(spec) for name, spec in self._specs.items()}
        return {"copied": self._copied, "left": left, "digests": digests}

    def _job(self, spec: JobSpec) -> None:
        # Another job of the same name has other counts under the same dots.
        known = self._target.registry.jobs()
        if any(other.name == spec.name and other != spec for other in known):
            raise StateError(
                f"job {spec.name} on replica {self._target.name} is not the one in the state file, "
                "it only has the same name: not merged"
            )
        if spec.name in self._target.registry.deleted():
            raise StateError(
                f"job {spec.name} was deleted from this cluster (fab delete-job): not merged"
            )
        if foreign := set(spec.origins) - self._replicas.by_name.keys():
            raise StateError(
                f"job {spec.name} has splits of {', '.join(sorted(foreign))}, not of this cluster, "
                f"whose replicas are {', '.join(sorted(self._replicas.by_name))}: not merged"
            )
        self._target.registry.learn([spec])
        self._specs[spec.name] = spec
        self._positive |= {(spec.name, origin): bytearray() for origin in spec.origins}

    def _dots(self, record: Dots) -> None:
        origin, deltas = record.origin, record.deltas
        self._copied += sum(self._target.job(record.job).apply(origin, deltas))
        if record.retracted:
            answers = self._target.job(record.job).retract(origin, deltas)
            self._copied += answers.count(1)
        for seq, _ in deltas:
            bitmap.add(self._positive[record.job, origin], seq)

    def _base(self, record: Base) -> None:
        """Take the base, if it has dots that are not here: else their own deltas are worth more."""
        job, origin, through = record.job, record.origin, record.through
        excluded = record.excluded
        in_file = bitmap.union([self._positive[job, origin], bitmap.first(through)])
        self._positive[job, origin] = bytearray(in_file)
        held = self._dot_sets(job, origin)
        lacks = bitmap.count(bitmap.difference(bitmap.first(through), held.applied))
        marks = bitmap.count(bitmap.difference(bitmap.up_to(excluded, through), held.retracted))
        if not lacks:
            return
        # The base contains what is retracted here and was not where it was made.
        contained = bitmap.difference(bitmap.up_to(held.retracted, through), excluded)
        known = self._contents(job, origin, list(bitmap.members(contained)))
        try:
            done = self._target.job(job).rebase(
                origin, record.packed, through, excluded, record.digest, known.items()
            )
        except Rejected as error:
            if "BEHIND" not in str(error):
                raise
            return  # reported as left; an archive on another host may help
        self._copied += (lacks + marks) if done else 0

    def _marks(self, record: Marks) -> None:
        job, origin = record.job, record.origin
        self._negative[job, origin] = record.retracted
        held = self._dot_sets(job, origin)
        lacks = list(bitmap.members(bitmap.difference(record.retracted, held.retracted)))
        for at in range(0, len(lacks), RETRACT_DOTS):
            self._mark(job, origin, lacks[at : at + RETRACT_DOTS], held.through)

    def _mark(self, job: str, origin: str, seqs: list[int], through: int) -> None:
        known = self._contents(job, origin, [seq for seq in seqs if seq <= through])
        pairs = [(seq, known.get(seq, b"")) for seq in seqs]
        self._copied += self._target.job(job).retract(origin, pairs).count(1)

    def _contents(self, job: str, origin: str, seqs: list[int]) -> dict[int, bytes]:
        archive = Archive(self._jobs / job)
        return search_deltas(self._replicas.available(), job, origin, seqs, archive)
