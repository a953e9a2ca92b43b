"""Read repair on demand: every job, or one, until the replicas agree or no more can be done."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from wc.backends.redis.replica_set import ReplicaSet
from wc.jobs.spec import JobSpec
from wc.replication.delta_archive import Archive
from wc.replication.job_deletion import known_jobs
from wc.replication.read_repair import Repair

#: While workers commit, each round finds what came since the last one; after so many rounds the
#: result is reported as it is.
ROUNDS = 5


def repair_jobs(
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

    Returns {"jobs", "compared", "missing", "copied", "left", "bytes", "rounds", "seconds",
    "converged", "agreed", "reached", "unreachable", "disputed"}: dots, of which missing and copied
    count once for each replica, and left are those that the targets lack still; bytes of deltas;
    converged: all replicas of the cluster answered and hold the same; agreed: the sources and
    targets did; unreachable: those of them that did not answer; disputed: "JOB ORIGIN/seq" of dots
    that none lacks and of which not all have the same counts.
    """
    started = time.monotonic()
    specs = _specs(replicas, job, learn=not check)
    every = list(replicas.by_name)
    named = {*(every if sources is None else sources), *(every if targets is None else targets)}
    totals = {"compared": 0, "missing": 0, "copied": 0, "left": 0, "bytes": 0}
    reached: set[str] = set()
    disputed: list[str] = []
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
        disputed += (f"{spec.name} {dot}" for dot in found.disputed)
        totals["compared"] += compared
        totals["left"] += max(0, found.missing - found.copied)
    return {
        "jobs": [spec.name for spec in specs],
        **totals,
        "rounds": rounds,
        "seconds": time.monotonic() - started,
        "converged": all(_converged(replicas, spec, replicas.by_name.keys()) for spec in specs),
        "agreed": all(_converged(replicas, spec, named) for spec in specs),
        "reached": sorted(reached),
        "unreachable": sorted(named - reached) if specs else [],
        "disputed": disputed,
    }


def _specs(replicas: ReplicaSet, job: str, *, learn: bool) -> list[JobSpec]:
    """The jobs that any reachable replica knows; with ``learn`` the others learn them."""
    known: dict[str, JobSpec] = {}
    for specs in known_jobs(replicas).values():
        known |= {spec.name: spec for spec in specs if job in ("", spec.name)}
    if learn:
        replicas.ask_all(lambda replica: replica.registry.learn(known.values()))
    return sorted(known.values(), key=lambda spec: (spec.created, spec.name))


def _converged(replicas: ReplicaSet, spec: JobSpec, names: Collection[str]) -> bool:
    found = replicas.ask_all(
        lambda replica: replica.job(spec.name).status(spec.origins),
        [replica for replica in replicas.available() if replica.name in names],
    )
    return len(found) == len(names) and len({s.digest for s in found.values()}) == 1
