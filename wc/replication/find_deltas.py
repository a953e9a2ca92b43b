"""Finding the delta of a dot wherever it is kept: on some replica, or in this host's archive."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.replication.delta_archive import Archive


def contents(
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
        asked = [seq for seq in seqs if seq not in found]
        if not asked:
            break
        fetch = partial(_fetch, job=job, origin=origin, seqs=asked)
        for deltas in replicas.ask_all(fetch, [replica]).values():
            found |= {s: d for s, d in zip(asked, deltas, strict=True) if d is not None}
    return found


def _fetch(replica: Replica, *, job: str, origin: str, seqs: list[int]) -> list[bytes | None]:
    return replica.job(job).contents(origin, seqs)
