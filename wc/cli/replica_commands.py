"""The commands of `python -m wc` that ask Redis."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.replica import Replica, own_replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.cli import host_status
from wc.cli.count import count
from wc.cli.job_list import job_list
from wc.cli.top import top
from wc.core.config import Config
from wc.jobs import manifest as manifest_file
from wc.jobs import tombstones
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import ManifestError
from wc.jobs.spec import JobSpec, SpecError
from wc.replication.job_deletion import delete
from wc.replication.repair_jobs import repair_jobs
from wc.transfer.export import export
from wc.transfer.merge import merge_file
from wc.verify import compare

Answer = dict[str, Any]


class NoSuchJob(Exception):
    """The job asked for is not known here."""


#: Errors that refuse a request; the message says why.
REFUSALS = (
    compare.CannotTell,
    ManifestError,
    NoSuchJob,
    SpecError,
    Rejected,
    Unavailable,
    ValueError,
    FileNotFoundError,
)


def _spec(replica: Replica, name: str) -> JobSpec:
    """The named job, or the latest one if no name is given."""
    jobs = replica.registry.jobs()
    for spec in reversed(jobs):
        if name in ("", spec.name):
            return spec
    if why := replica.registry.unreadable().get(name):
        raise SpecError(why)
    known = ", ".join(spec.name for spec in jobs[-5:]) or "none yet"
    raise NoSuchJob(f"no job {name!r} here; the latest are: {known}" if name else "no job yet")


def _job(cfg: Config, options: argparse.Namespace) -> Answer:
    """The named or latest job's specification; {} if there is none."""
    # What is on this disk is known even before its driver has told a Redis.
    spec = JobFolder(cfg.jobs / options.job).spec() if options.job else None
    try:
        spec = spec or _spec(own_replica(cfg), options.job)
    except NoSuchJob:
        return {}
    return json.loads(spec.to_json())  # type: ignore[no-any-return]


def _retry_dead(cfg: Config, options: argparse.Namespace) -> Answer:
    """Give this origin's dead splits another chance; its driver puts them back."""
    spec = _spec(own_replica(cfg), options.job)
    replicas = ReplicaSet(cfg, "driver")
    statuses = replicas.ask_all(lambda replica: replica.job(spec.name).status([cfg.host]))
    attempts = (status.attempts.get(cfg.host, 0) for status in statuses.values())
    attempt = 1 + max(attempts, default=0)
    answers = replicas.ask_all(lambda replica: replica.job(spec.name).revive(cfg.host, attempt))
    away = sorted(replicas.by_name.keys() - answers.keys())
    if cfg.host in away:
        raise Unavailable(cfg.host, "no answer; the splits are put back in its queue")
    revived = max(answers.values())
    folder = JobFolder(cfg.jobs / spec.name)
    if folder.outcome() is not None:
        # Every driver runs the job again, as the result is not what was published any more.
        folder.reopen()
    return {"job": spec.name, "revived": revived}


def _repair(cfg: Config, options: argparse.Namespace) -> Answer:
    replicas = ReplicaSet(cfg, "driver")
    return repair_jobs(
        replicas,
        options.job,
        sources=options.source or None,
        targets=options.target or None,
        check=options.check,
        jobs=cfg.jobs,
    )


def _export(cfg: Config, options: argparse.Namespace) -> Answer:
    return export(own_replica(cfg), options.job, Path(options.out))


def _import(cfg: Config, options: argparse.Namespace) -> Answer:
    replicas, targets = ReplicaSet(cfg, "driver"), options.target or [own_replica(cfg).name]
    return merge_file(replicas, targets, Path(options.file), options.job, cfg.jobs)


def _top(cfg: Config, options: argparse.Namespace) -> Answer:
    replica = own_replica(cfg)
    spec = _spec(replica, options.job)
    answer: Answer = {"host": replica.name}
    if options.repair:
        replicas = ReplicaSet(cfg, "driver")
        answer["repair"] = repair_jobs(replicas, spec.name, jobs=cfg.jobs)
        replicas.close()
    return answer | top(replica.job(spec.name), spec, options.limit)


def _count(cfg: Config, options: argparse.Namespace) -> Answer:
    replica = own_replica(cfg)
    spec = _spec(replica, options.job)
    words = json.load(sys.stdin)
    return {"host": replica.name} | count(replica.job(spec.name), spec, words)


def _recount(cfg: Config, options: argparse.Namespace) -> Answer:
    spec = _spec(own_replica(cfg), options.job)

    def report(done: int) -> None:
        print(json.dumps({"done": done}), flush=True)

    if options.origin in ("", cfg.host):
        manifest = JobFolder(cfg.jobs / spec.name).manifest()
    else:
        copy = own_replica(cfg).job(spec.name).manifest_copy(options.origin)
        if copy is None:
            raise NoSuchJob(f"no manifest of {options.origin} here")
        manifest = manifest_file.unpack(copy[1])
    return compare.recount(manifest, spec, Path(options.out), report)


def _compare(cfg: Config, options: argparse.Namespace) -> Answer:
    replica = own_replica(cfg)
    spec = _spec(replica, options.job)
    expected = compare.read_expected(Path(options.expected))
    store = replica.job(spec.name)
    return {"host": cfg.host} | compare.compare(store, spec, expected, options.limit)


def _state(cfg: Config, options: argparse.Namespace) -> Answer:
    return host_status.status(cfg, own_replica(cfg), options.job)


def _names(cfg: Config, _: argparse.Namespace) -> Answer:
    replica = own_replica(cfg)
    names = [spec.name for spec in replica.registry.jobs()]
    return {"jobs": names, "deleted": _deleted(cfg, replica)}


def _jobs(cfg: Config, _: argparse.Namespace) -> Answer:
    replica = own_replica(cfg)
    return job_list(cfg, replica) | {"deleted": _deleted(cfg, replica)}


def _deleted(cfg: Config, replica: Replica) -> list[str]:
    return sorted(replica.registry.deleted().keys() | tombstones.read(cfg.jobs).keys())


def _delete(cfg: Config, _: argparse.Namespace) -> Answer:
    """Delete jobs here: {name: origins} on standard input."""
    try:
        delete(own_replica(cfg), cfg.jobs, json.load(sys.stdin))
    except Unavailable as error:
        return {"host": cfg.host, "replica": str(error)}  # its driver does it later
    return {"host": cfg.host, "replica": ""}


ANSWERS: dict[str, Callable[[Config, argparse.Namespace], Answer]] = {
    "job": _job,
    "jobs": _jobs,
    "names": _names,
    "delete": _delete,
    "retry-dead": _retry_dead,
    "repair": _repair,
    "export": _export,
    "import": _import,
    "top": _top,
    "count": _count,
    "recount": _recount,
    "compare": _compare,
    "state": _state,
}
