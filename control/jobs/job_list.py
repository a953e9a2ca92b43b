"""All jobs of a cluster, and deleting some of them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from control.cluster import Answer, Cluster, HostError
from control.jobs.job_start import JobError
from control.jobs.job_state import ENDED, JobState, job_state, unanswered
from provision.connect.hosts import answers


@dataclass(frozen=True)
class Listing:
    """`jobs`, newest first: {"name", "state", "created", "age", "files", "bytes", "words",
    "memory"}.

    state: as `status` has it (job_state.STATES); created: seconds since the epoch; age: seconds;
    words: distinct ones, or None before they are published; memory: {host: bytes in its Redis}.
    Files and bytes are those of the hosts that
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
    deleted = {name for answer in known.values() for name in answer["deleted"]}
    states = {
        name: job_state(name, {host: _answer(a, by_host.get(host)) for host, a in found.items()})
        for name, by_host in by_job.items()
        if name not in deleted
    }
    now = time.time()
    jobs = [_job(state, by_job[name], now) for name, state in states.items() if state]
    return Listing(
        sorted(jobs, key=lambda job: -float(job["created"])),
        {name: a.reason for name, a in found.items() if isinstance(a, HostError)},
        {name: list(state.origins) for name, state in states.items() if state},
    )


def _answer(answer: Answer | HostError, job: Answer | None) -> Answer:
    """What a host says of one job, as `job_state` takes it."""
    return unanswered(answer) if isinstance(answer, HostError) else {"reachable": True, "job": job}


def _job(state: JobState, by_host: dict[str, Answer], now: float) -> dict[str, Any]:
    created = next(iter(by_host.values()))["created"]
    words = [job["extent"]["distinct"] for job in by_host.values() if job["extent"]]
    return {
        "name": state.name,
        "state": state.state,
        "created": created,
        "age": now - float(created),
        "files": sum(job["files"] for host, job in by_host.items() if host in state.origins),
        "bytes": sum(job["bytes"] for host, job in by_host.items() if host in state.origins),
        "words": max(words, default=None),
        "memory": {host: job["memory"] for host, job in by_host.items()},
    }


def choose(listing: Listing, older_than: float | None, all_but: int | None) -> list[str]:
    """The jobs that have ended, and are older than so many seconds or not among the newest."""
    jobs = listing.jobs if all_but is None else listing.jobs[all_but:]
    old = [job for job in jobs if older_than is None or job["age"] > older_than]
    return [job["name"] for job in old if job["state"] in ENDED]


def require_state(listing: Listing, name: str, *, running: bool) -> None:
    """Refuse to delete a job that runs, or to cancel one that does not. Raises JobError."""
    state = next(job["state"] for job in listing.jobs if job["name"] == name)
    if not running and state not in ENDED:
        raise JobError(
            f"job {name} has not ended ({state}); fab cancel-job --job {name} ends and deletes it"
        )
    if running and state in ENDED:
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
