"""Synchronising what is known of a job beside its dots: totals, manifests, dead splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet


def sync_metadata(
    replicas: ReplicaSet,
    job: str,
    origins: Sequence[str],
    sources: Iterable[Replica],
    targets: Iterable[Replica],
) -> None:
    """Copy what any source knows to all targets. Never raises for a lost replica."""
    sources, targets = list(sources), list(targets)
    _totals(replicas, job, origins, sources, targets)
    _dead(replicas, job, origins, sources, targets)


def _totals(
    replicas: ReplicaSet,
    job: str,
    origins: Sequence[str],
    sources: list[Replica],
    targets: list[Replica],
) -> None:
    """Totals of sealed manifests, and the manifests: each origin's latest."""
    found = replicas.ask_all(lambda replica: replica.job(job).status(origins), sources)
    for origin in origins:
        known = {name: status.origins[origin] for name, status in found.items()}
        sealed = [o for o in known.values() if o.total is not None]
        if sealed:
            latest = max(sealed, key=lambda o: o.revision)

            def seal(replica: Replica, origin: str = origin, o: Any = latest) -> None:
                replica.job(job).seal(origin, o.revision, o.total, o.retracted_total)

            stale = [
                name for name, o in known.items() if o.total is None or o.revision < latest.revision
            ]
            replicas.ask_all(seal, [r for r in targets if r.name in stale])
        copied = {name: o.copied_revision for name, o in known.items()}
        holder = max(copied, key=lambda name: copied[name], default=None)
        if holder is None or copied[holder] < 0:
            continue
        lacking = [r for r in targets if r.name in copied and copied[r.name] < copied[holder]]
        if lacking:
            _copy_files(replicas, job, origin, replicas.by_name[holder], lacking)


def _copy_files(
    replicas: ReplicaSet, job: str, origin: str, holder: Replica, lacking: list[Replica]
) -> None:
    copies = replicas.ask_all(lambda replica: replica.job(job).manifest_copy(origin), [holder])
    copy = copies.get(holder.name)
    if copy is not None:
        revision, packed = copy
        replicas.ask_all(
            lambda replica: replica.job(job).keep_manifest(origin, revision, packed), lacking
        )


def _dead(
    replicas: ReplicaSet,
    job: str,
    origins: Sequence[str],
    sources: list[Replica],
    targets: list[Replica],
) -> None:
    """Splits that were given up."""
    found = replicas.ask_all(lambda replica: replica.job(job).dead(), sources)
    dead: dict[str, dict[int, Any]] = {origin: {} for origin in origins}
    for known in found.values():
        for dot, error in known.items():
            origin, _, seq = dot.rpartition("/")
            if origin in dead:
                dead[origin][int(seq)] = error

    def bury(replica: Replica) -> None:
        for origin, errors in dead.items():
            if errors:
                replica.job(job).bury(origin, errors)

    replicas.ask_all(bury, targets)
