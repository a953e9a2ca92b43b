"""Read repair on demand: every job, or one, until the replicas agree or no more can be done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wc.archive import Archive
from wc.jobspec import JobSpec
from wc.registry import Registry
from wc.repair import Repair
from wc.replicas import ReplicaSet
from wc.store import JobStore

#: While workers commit, a round finds what came since the last; after these it is told as it is.
ROUNDS = 5


def read_repair(
    replicas: ReplicaSet,
    job: str,
    *,
    sources: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    check: bool = False,
    jobs: Path | None = None,
) -> dict[str, Any]:
    """Repair one job, or all jobs if ``job`` is "". With ``check`` nothing is copied.

    ``jobs`` is the folder with this host's job folders, whose archives may help.

    Returns {"jobs", "compared", "missing", "copied", "bytes", "rounds", "seconds", "converged",
    "reached", "unreachable"}: dots, of which missing and copied count once for each replica;
    bytes of deltas fetched; converged: all replicas of the cluster answered and hold the same.
    """
    started = time.monotonic()
    specs = _specs(replicas, job, learn=not check)
    totals = {"compared": 0, "missing": 0, "copied": 0, "bytes": 0}
    reached: set[str] = set()
    rounds = 0
    for spec in specs:
        compared = 0
        for _ in range(ROUNDS):
            rounds += 1
            found = Repair(
                replicas,
                spec.name,
                spec.origins,
                sources=sources,
                targets=targets,
                archive=None if jobs is None else Archive(jobs / spec.name),
            ).run(check=check)
            reached |= found.reached
            compared = max(compared, found.compared)
            for key in ("missing", "copied", "bytes"):
                totals[key] += getattr(found, key)
            if check or not found.copied:
                break
        totals["compared"] += compared
    return {
        "jobs": [spec.name for spec in specs],
        **totals,
        "rounds": rounds,
        "seconds": time.monotonic() - started,
        "converged": all(_converged(replicas, spec) for spec in specs),
        "reached": sorted(reached),
        "unreachable": sorted(replicas.by_name.keys() - reached) if specs else [],
    }


def _specs(replicas: ReplicaSet, job: str, *, learn: bool) -> list[JobSpec]:
    """The jobs that any reachable replica knows; with ``learn`` the others are told of them."""
    known: dict[str, JobSpec] = {}
    for specs in replicas.call_all(lambda client, _: Registry(client).jobs()).values():
        known |= {spec.name: spec for spec in specs if job in ("", spec.name)}
    if learn:
        replicas.call_all(lambda client, _: Registry(client).learn(known.values()))
    return sorted(known.values(), key=lambda spec: (spec.created, spec.name))


def _converged(replicas: ReplicaSet, spec: JobSpec) -> bool:
    found = replicas.call_all(lambda client, _: JobStore(client, spec.name).status(spec.origins))
    return len(found) == len(replicas.all) and len({s.digest for s in found.values()}) == 1
