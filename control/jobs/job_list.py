"""All jobs of a cluster, and deleting some of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from control.cluster import Answer, Cluster, HostError
from control.jobs import job_names
from control.jobs.job_start import JobError
from provision.connect.hosts import answers


@dataclass(frozen=True)
class Listing:
    """`jobs`, newest first: {"name", "state", "created", "age", "files", "bytes", "words",
    "memory"}.

    state: "running", "complete", "incomplete", or "unknown" if no host that answers counts its
    files; created: seconds since the epoch; age: seconds; words: distinct ones, or None before they
    are published; memory: {host: bytes in its Redis}. Files and bytes are those of the hosts that
    answer. `unreachable`: {host: why}.
    """

    jobs: list[dict[str, Any]]
    unreachable: dict[str, str]
    origins: dict[str, list[str]]
    """Of each job."""


def ask(cluster: Cluster) -> Listing:
    """Raises HostError if no host answers."""
    found = cluster.on_all(lambda host: cluster.ask(host, "jobs"), cluster.inventory.replicas)
    known = {name: a for name, a in found.items() if not isinstance(a, HostError)}
    if not known:
        answers(found)
    by_job: dict[str, dict[str, Answer]] = {}
    for host, answer in known.items():
        for job in answer["jobs"]:
            by_job.setdefault(job["name"], {})[host] = job
    deleted = job_names.ask(cluster).deleted
    now = time.time()
    jobs = [_job(name, by_host, now) for name, by_host in by_job.items() if name not in deleted]
    return Listing(
        sorted(jobs, key=lambda job: -float(job["created"])),
        {name: a.reason for name, a in found.items() if isinstance(a, HostError)},
        {name: next(iter(by_host.values()))["origins"] for name, by_host in by_job.items()},
    )


def _job(name: str, by_host: dict[str, Answer], now: float) -> dict[str, Any]:
    first = next(iter(by_host.values()))
    on_origins = [by_host[origin] for origin in first["origins"] if origin in by_host]
    words = [job["words"] for job in by_host.values() if job["words"] is not None]
    return {
        "name": name,
        "state": _state([job["outcome"] for job in on_origins]),
        "created": first["created"],
        "age": now - float(first["created"]),
        "files": sum(job["files"] for job in on_origins),
        "bytes": sum(job["bytes"] for job in on_origins),
        "words": max(words, default=None),
        "memory": {host: job["memory"] for host, job in by_host.items()},
    }


def _state(outcomes: list[Answer | None]) -> str:
    if not outcomes:
        return "unknown"
    if None in outcomes:
        return "running"
    return "complete" if all(o and o["complete"] for o in outcomes) else "incomplete"


def choose(listing: Listing, older_than: float | None, all_but: int | None) -> list[str]:
    """The jobs that have ended, and are older than so many seconds or not among the newest."""
    jobs = listing.jobs if all_but is None else listing.jobs[all_but:]
    old = [job for job in jobs if older_than is None or job["age"] > older_than]
    return [job["name"] for job in old if job["state"] in ("complete", "incomplete")]


def require_state(listing: Listing, name: str, *, running: bool) -> None:
    """Refuse to delete a job that runs, or to cancel one that does not. Raises JobError."""
    state = next(job["state"] for job in listing.jobs if job["name"] == name)
    if not running and state in ("running", "unknown"):
        raise JobError(f"job {name} is {state}; fab cancel-job --job {name} ends and deletes it")
    if running and state not in ("running", "unknown"):
        raise JobError(f"job {name} has ended ({state}); fab delete-job --job {name} deletes it")


def delete(cluster: Cluster, listing: Listing, names: list[str]) -> dict[str, str]:
    """Delete these jobs on all hosts; {host: why it will do so later}.

    Raises HostError if no host could.
    """
    request = json.dumps({name: listing.origins[name] for name in names})
    found = cluster.on_all(
        lambda host: cluster.ask(host, "delete", stdin=request), cluster.inventory.replicas
    )
    if all(isinstance(answer, HostError) for answer in found.values()):
        answers(found)
    later = {n: a.reason if isinstance(a, HostError) else a["replica"] for n, a in found.items()}
    return {name: reason for name, reason in later.items() if reason}
