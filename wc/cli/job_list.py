"""What one host knows of all jobs, for `fab jobs`."""

from __future__ import annotations

from typing import Any

from wc.backends.redis.replica import Replica
from wc.core.config import Config
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import ManifestError
from wc.jobs.spec import JobSpec


def job_list(config: Config, replica: Replica) -> dict[str, Any]:
    """{"host", "jobs": [{"name", "created", "origins", "memory", "words", "files", "bytes",
    "outcome"}]}, oldest first.

    memory: bytes in this replica; words: how many distinct ones, or None before they are published;
    files and bytes: those of this origin; outcome: None while the job runs here.
    """
    jobs = [_job(config, replica, spec) for spec in replica.registry.jobs()]
    return {"host": config.host, "jobs": jobs}


def _job(config: Config, replica: Replica, spec: JobSpec) -> dict[str, Any]:
    folder = JobFolder(config.jobs / spec.name)
    outcome = folder.outcome() if config.host in spec.origins else None
    extent = replica.job(spec.name).extent()
    files, size = _input(folder, outcome)
    return {
        "name": spec.name,
        "created": spec.created,
        "origins": spec.origins,
        "memory": replica.registry.memory(spec),
        "words": extent and extent.distinct,
        "files": files,
        "bytes": size,
        "outcome": outcome and {"complete": outcome["complete"], "ended": outcome["ended"]},
    }


def _input(folder: JobFolder, outcome: dict[str, Any] | None) -> tuple[int, int]:
    """How many files the origin counts, and their bytes; 0 before it has a manifest."""
    if outcome and "files" in outcome:  # a manifest of a million files takes seconds to read
        return outcome["files"], outcome["bytes"]
    try:
        manifest = folder.manifest()
    except (FileNotFoundError, ManifestError):
        return 0, 0
    return len(manifest.live), manifest.total_bytes
