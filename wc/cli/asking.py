"""A job's progress as this host's replica tells it, for when the driver does not."""

from __future__ import annotations

from typing import Any

from wc.backends.api import Rejected, Unavailable
from wc.backends.redis.replica import own_replica
from wc.cli.follow import Ask
from wc.core.config import Config
from wc.driver.progress import Progress
from wc.jobs.folder import JobFolder


def asking(config: Config, folder: JobFolder) -> Ask:
    """A function that gives one progress record: wc/driver/progress.py, or phase unreachable."""
    store = own_replica(config).job(folder.name)
    progress = Progress(config.host, folder.manifest())

    def ask() -> dict[str, Any]:
        try:
            return progress.look(store)
        except (Unavailable, Rejected) as error:
            return progress.begun | {"phase": "unreachable", "error": str(error)}

    return ask
