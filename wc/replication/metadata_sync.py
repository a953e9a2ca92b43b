"""Synchronising what is known of a job beside its dots: seals, manifests, dead splits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from wc.backends.api import Unavailable
from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.crdt.status import OriginStatus


def sync_metadata(
    replicas: ReplicaSet,
    job: str,
    origins: Sequence[str],
    sources: list[Replica],
    targets: list[Replica],
) -> None:
    """Copy what any source knows to all targets. Never raises for a lost replica."""
    statuses = replicas.ask_all(lambda replica: replica.job(job).status(origins), sources)
    for origin in origins:
        known = {name: status.origins[origin] for name, status in statuses.items()}
        _sync_seal(replicas, job, origin, known, targets)
        _sync_manifest(replicas, job, origin, known, targets)
        attempts = {name: status.attempts.get(origin, 0) for name, status in statuses.items()}
        _sync_attempt(replicas, job, origin, attempts, targets)
    _sync_dead(replicas, job, origins, sources, targets)


def _sync_seal(
    replicas: ReplicaSet,
    job: str,
    origin: str,
    known: dict[str, OriginStatus],
    targets: list[Replica],
) -> None:
    """The latest revision that is sealed anywhere."""
    sealed = {name: -1 if o.total is None else o.revision for name, o in known.items()}
    latest = max(sealed, key=lambda name: sealed[name], default=None)
    if latest is not None and (total := known[latest].total) is not None:
        revision, retracted = known[latest].revision, known[latest].retracted_total
        stale = [r for r in targets if sealed.get(r.name, revision) < revision]
        replicas.ask_all(lambda r: r.job(job).seal(origin, revision, total, retracted), stale)


def _sync_manifest(
    replicas: ReplicaSet,
    job: str,
    origin: str,
    known: dict[str, OriginStatus],
    targets: list[Replica],
) -> None:
    """The latest copy of the origin's manifest."""
    copied = {name: o.copied_revision for name, o in known.items()}
    latest = max(copied, key=lambda name: copied[name], default=None)
    stale = [r for r in targets if latest and copied.get(r.name, copied[latest]) < copied[latest]]
    if latest and stale:
        with suppress(Unavailable):
            if (copy := replicas.by_name[latest].job(job).manifest_copy(origin)) is not None:
                replicas.ask_all(lambda r: r.job(job).keep_manifest(origin, *copy), stale)


def _sync_attempt(
    replicas: ReplicaSet, job: str, origin: str, attempts: dict[str, int], targets: list[Replica]
) -> None:
    """The latest attempt at the origin's dead splits, before which nobody is dead any more."""
    if latest := max(attempts.values(), default=0):
        # Everywhere: a worker of an earlier version does not say at which attempt a split died.
        replicas.ask_all(lambda replica: replica.job(job).revive(origin, latest), targets)


def _sync_dead(
    replicas: ReplicaSet,
    job: str,
    origins: Sequence[str],
    sources: list[Replica],
    targets: list[Replica],
) -> None:
    dead: dict[str, dict[int, Any]] = {origin: {} for origin in origins}
    for answer in replicas.ask_all(lambda replica: replica.job(job).dead(), sources).values():
        for dot, error in answer.items():
            origin, _, seq = dot.rpartition("/")
            known = dead.get(origin, {}).get(int(seq), {})
            if origin in dead and error.get("attempt", 0) >= known.get("attempt", 0):
                dead[origin][int(seq)] = error

    def bury(replica: Replica) -> None:
        for origin, errors in dead.items():
            if errors:
                replica.job(job).bury(origin, errors)

    replicas.ask_all(bury, targets)
