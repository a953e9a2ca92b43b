"""A job's progress as this host's replica tells it, for when the driver does not."""

from __future__ import annotations

from typing import Any

import redis

from wc.config import Config
from wc.jobfiles import JobFolder
from wc.progress import Progress
from wc.replicas import Unavailable, own_replica
from wc.watch import Ask


def asking(config: Config, folder: JobFolder) -> Ask:
    """Something to call for each look, as wc/progress.py has it; or phase unreachable and error."""
    replica = own_replica(config)
    progress = Progress(config.host, folder.manifest())

    def ask() -> dict[str, Any]:
        try:
            return replica.call(lambda client: progress.look(client, folder.name))
        except (Unavailable, redis.RedisError) as error:
            return progress.begun | {"phase": "unreachable", "error": str(error)}

    return ask
