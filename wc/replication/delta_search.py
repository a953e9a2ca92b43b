"""Searching for a dot's delta wherever it is kept: on a replica, or in the host's archive."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.replication.delta_archive import Archive


def search_deltas(
    replicas: ReplicaSet,
    among: Iterable[Replica],
    job: str,
    origin: str,
    seqs: list[int],
    archive: Archive | None,
) -> dict[int, bytes]:
    """The deltas that were found, by seq. Never raises for a lost replica."""
    found = archive.get(origin, seqs) if archive is not None and seqs else {}
    for replica in among:
        if missing := [seq for seq in seqs if seq not in found]:
            fetch = partial(_fetch, job=job, origin=origin, seqs=missing)
            for deltas in replicas.ask_all(fetch, [replica]).values():
                found |= {s: d for s, d in zip(missing, deltas, strict=True) if d is not None}
    return found


def _fetch(replica: Replica, *, job: str, origin: str, seqs: list[int]) -> list[bytes | None]:
    return replica.job(job).contents(origin, seqs)
