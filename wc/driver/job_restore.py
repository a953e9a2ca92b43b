"""Getting a host's jobs back from its peers, after it lost its disk or is a new one.

Every replica keeps the specification of each job and every origin's manifest. A driver that
has no folder for a job in which its host is an origin makes one of these; from there on the
job is like any other that the driver finds: it brings its replica up to date and publishes.
"""

from __future__ import annotations

import logging

from wc.backends.redis.replica_set import ReplicaSet
from wc.core.config import Config
from wc.jobs import manifest as manifest_file
from wc.jobs import tombstones
from wc.jobs.folder import JobFolder
from wc.jobs.spec import JobSpec, SpecError
from wc.replication.job_deletion import known_jobs

log = logging.getLogger(__name__)


def restore(replicas: ReplicaSet, config: Config) -> list[str]:
    """Make the folders that are missing here; the jobs' names. Never raises for a lost replica."""
    made = []
    deleted = tombstones.read(config.jobs)
    known = known_jobs(replicas)
    for spec in {spec.name: spec for specs in known.values() for spec in specs}.values():
        folder = JobFolder(config.jobs / spec.name)
        # A folder may be there without a specification: one that was made halfway, or of a job
        # that is just being prepared here, of which this is the same.
        missing = config.host in spec.origins and not folder.is_active()
        if missing and spec.name not in deleted and _make(replicas, folder, spec, config.host):
            made.append(spec.name)
    return made


def _make(replicas: ReplicaSet, folder: JobFolder, spec: JobSpec, host: str) -> bool:
    answers = replicas.ask_all(lambda replica: replica.job(spec.name).manifest_copy(host))
    copies = [copy for copy in answers.values() if copy is not None]
    if not copies:
        return False
    _, packed = max(copies)
    try:
        manifest = manifest_file.unpack(packed)
    except manifest_file.ManifestError as error:
        log.error("%s: cannot be restored: %s", spec.name, error)
        return False
    try:
        folder.prepare(spec, manifest, activate=True)
        folder.write_restored(manifest.revision)
    except (OSError, SpecError) as error:
        log.error("%s: cannot be restored: %s", spec.name, error)
        return False
    log.warning("%s: the folder was missing, made again from a peer's copy", spec.name)
    return True
