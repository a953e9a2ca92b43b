"""What one host's replica knows, for `status`: the server's health, and a job as it has it."""

from __future__ import annotations

import time
from typing import Any

from wc.backends.api import ResultStore, Unavailable
from wc.backends.redis.replica import Replica
from wc.cli.follow import FRESH_SECONDS
from wc.core.config import Config
from wc.counts import kernel
from wc.jobs import plan_progress
from wc.jobs.folder import JobFolder
from wc.jobs.spec import JobSpec


def status(config: Config, replica: Replica, job: str) -> dict[str, Any]:
    """{"host", "replica", "kernel", "reachable", "refuses", "redis", "repair", "unreadable",
    "job", "planning"}.

    refuses: why the replica takes no writes now, "" if it does. unreadable: {job: why}. planning:
    how many files the planning of a job has seen, or None. repair
    (wc/replication/repair_stats.py: what anti-entropy did) and job: None without one.
    """
    answer: dict[str, Any] = {
        "host": config.host,
        "replica": replica.name,
        "kernel": kernel.KERNEL,
        "reachable": False,
        "refuses": "",
        "redis": None,
        "repair": None,
        "unreadable": {},
        "job": None,
        "planning": plan_progress.read(config.jobs),
    }
    try:
        answer["redis"] = _server(replica.server())
        answer["reachable"] = True
        answer["refuses"] = replica.why_no_writes()
        answer["repair"] = replica.registry.repair_facts(config.host)
        answer["unreadable"] = replica.registry.unreadable()
        jobs = replica.registry.jobs()
        spec = next((spec for spec in reversed(jobs) if job in ("", spec.name)), None)
        if spec is not None:
            answer["job"] = job_facts(replica.job(spec.name), spec, config)
    except Unavailable as error:
        answer["error"] = str(error)
    return answer


def _server(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": info["redis_version"],
        "uptime": info["uptime_in_seconds"],
        "memory": info["used_memory"],
        "clients": info["connected_clients"],
        "last_save": info["rdb_last_save_time"],
        "role": info["role"],
    }


def job_facts(store: ResultStore, spec: JobSpec, config: Config) -> dict[str, Any]:
    """A job as this replica and its driver have it: what control.jobs.job_state is made of."""
    status, extent = store.status(spec.origins), store.extent()
    folder = JobFolder(config.jobs / spec.name)
    progress, written = folder.read_progress()
    outcome = folder.outcome()
    stale = outcome or time.time() - written > FRESH_SECONDS
    return {
        "name": spec.name,
        "created": spec.created,
        "origins": {
            name: {
                "total": o.total,
                "applied": o.applied,
                "revision": o.revision,
                "retracted": o.retracted,
                "retracted_total": o.retracted_total,
                "retracted_unapplied": o.retracted_unapplied,
                "dead": o.dead,
                "folded": o.through,
                "settled": o.settled,
                "digest": o.digest,
            }
            for name, o in status.origins.items()
        },
        "stats": status.stats,
        "digest": status.digest,
        "published": bool(status.published) and status.published == status.digest,
        "extent": extent and extent._asdict(),
        "dead": store.dead(),
        "outcome": outcome,
        "troubles": {} if stale else progress.get("troubles", {}),
    }
