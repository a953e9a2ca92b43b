"""A job's progress as this host's replica has it, for when the driver writes none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wc.backends.api import Unavailable
from wc.backends.redis.replica import own_replica
from wc.core.config import Config
from wc.jobs.folder import JobFolder
from wc.replication.progress import ProgressReader


def poller(config: Config, folder: JobFolder) -> Callable[[], dict[str, Any]]:
    """A function that reads the progress (wc/replication/progress.py) each time it is called; phase
    unreachable and error while the replica does not answer."""
    store = own_replica(config).job(folder.name)
    progress = ProgressReader(config.host, folder.manifest())

    def poll() -> dict[str, Any]:
        try:
            return progress.read(store)
        except Unavailable as error:
            return progress.size | {"phase": "unreachable", "error": str(error)}

    return poll
