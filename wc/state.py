"""What one host's replica knows, for `status`: the server's health, and a job as it has it."""

from __future__ import annotations

from typing import Any

import redis

from wc import activity, counting
from wc.config import Config
from wc.jobfiles import JobFolder
from wc.jobspec import JobSpec
from wc.registry import Registry
from wc.replicas import Replica, Unavailable
from wc.store import JobStore


def look(config: Config, replica: Replica, job: str) -> dict[str, Any]:
    """{"host", "replica", "kernel", "reachable", "redis", "repair", "job"}.

    repair (what the background repair did, as wc/activity.py has it) and job are None if there is
    none.
    """
    answer: dict[str, Any] = {
        "host": config.host,
        "replica": replica.name,
        "kernel": counting.KERNEL,
        "reachable": False,
        "redis": None,
        "repair": None,
        "job": None,
    }
    try:
        answer["redis"] = replica.call(_server)
        answer["reachable"] = True
        answer["repair"] = replica.call(lambda client: activity.told(client, config.host))
        jobs = replica.call(lambda client: Registry(client).jobs())
        spec = next((spec for spec in reversed(jobs) if job in ("", spec.name)), None)
        if spec is not None:
            answer["job"] = replica.call(lambda client: _job(client, spec, config))
    except (Unavailable, redis.RedisError) as error:
        answer["error"] = str(error)
    return answer


def _server(client: redis.Redis) -> dict[str, Any]:
    info: Any = client.info()
    return {
        "version": info["redis_version"],
        "uptime": info["uptime_in_seconds"],
        "memory": info["used_memory"],
        "clients": info["connected_clients"],
        "last_save": info["rdb_last_save_time"],
        "role": info["role"],
    }


def _job(client: redis.Redis, spec: JobSpec, config: Config) -> dict[str, Any]:
    store = JobStore(client, spec.name)
    status = store.status(spec.origins)
    return {
        "name": spec.name,
        "created": spec.created,
        "origins": {
            name: {
                "total": o.total,
                "applied": o.applied,
                "retracted": o.retracted,
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
        "dead": store.dead(),
        "outcome": JobFolder(config.jobs / spec.name).outcome(),
    }
