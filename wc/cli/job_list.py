"""What one host knows of all jobs, for `fab jobs`."""

from __future__ import annotations

from typing import Any

from wc.backends.redis.replica import Replica
from wc.cli.host_status import job_facts
from wc.core.config import Config
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import ManifestError
from wc.jobs.spec import JobSpec


def job_list(config: Config, replica: Replica) -> dict[str, Any]:
    """{"host", "jobs": [{..., "memory", "files", "bytes"}]}, oldest first.

    Each is as `status` tells it (host_status.job_facts); besides, memory: bytes in this replica;
    files and bytes: those of this origin.
    """
    jobs = [_job(config, replica, spec) for spec in replica.registry.jobs()]
    return {"host": config.host, "jobs": jobs}


def _job(config: Config, replica: Replica, spec: JobSpec) -> dict[str, Any]:
    facts = job_facts(replica.job(spec.name), spec, config)
    files, size = _input(JobFolder(config.jobs / spec.name), facts["outcome"])
    return {**facts, "memory": replica.registry.memory(spec), "files": files, "bytes": size}


def _input(folder: JobFolder, outcome: dict[str, Any] | None) -> tuple[int, int]:
    """How many files the origin counts, and their bytes; 0 before it has a manifest."""
    if outcome and "files" in outcome:  # a manifest of a million files takes seconds to read
        return outcome["files"], outcome["bytes"]
    try:
        manifest = folder.manifest()
    except (FileNotFoundError, ManifestError):
        return 0, 0
    return len(manifest.live), manifest.total_bytes
