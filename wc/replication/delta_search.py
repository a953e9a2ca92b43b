"""Searching for a dot's delta wherever it is kept: on a replica, or in the host's archive."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.replication.delta_archive import Archive


def search_deltas(
    replicas: Iterable[Replica], job: str, origin: str, seqs: list[int], archive: Archive | None
) -> dict[int, bytes]:
    """The deltas that were found, by seq. Never raises for a lost replica."""
    found = archive.get(origin, seqs) if archive is not None and seqs else {}
    for replica in replicas:
        if missing := [seq for seq in seqs if seq not in found]:
            with suppress(Unavailable):
                deltas = replica.job(job).contents(origin, missing)
                found |= {s: d for s, d in zip(missing, deltas, strict=True) if d is not None}
    return found
