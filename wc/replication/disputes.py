"""Disputed dots: replicas have the same ones and not the same counts of them.

A split's counts are a function of the split, so this should not be: it tells of workers that count
differently, or of a delta that was damaged on its way. Digests show that there is a dispute, and
checksums of the deltas which dots it is about. Nobody can tell which counts are right, so the
origin has all of them forgotten, and the split counted again (wc/driver/job_loop.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from wc.backends.redis.replica_set import ReplicaSet
from wc.core import bitmap
from wc.crdt.dot_sets import DotSets


def disputed_dots(
    replicas: ReplicaSet, job: str, origin: str, dots: Mapping[str, DotSets]
) -> list[int]:
    """The dots, ascending, that all of these replicas have outside of their bases, with different
    counts. ``dots`` says what they have, by name. Never raises for a lost replica."""
    among = [replicas.by_name[name] for name in dots]
    digests = replicas.ask_all(lambda r: r.job(job).status([origin]).digest, among)
    if len(set(digests.values())) < 2:
        return []
    folded = max(found.through for found in dots.values())
    common = bitmap.intersection([found.applied for found in dots.values()])
    seqs = [seq for seq in bitmap.members(common) if seq > folded]
    answers = replicas.ask_all(lambda r: r.job(job).checksums(origin, seqs), among).values()
    return [
        seq
        for seq, *sums in zip(seqs, *answers, strict=True)
        if len({checksum for checksum in sums if checksum}) > 1
    ]
