"""Following a job on one host: its progress there, read again and again until it has ended.

The driver writes its progress beside the job. While that file is fresh it is enough; else, as the
driver is busy or dead, the replica is asked. For that Redis' client is imported, which takes longer
than all else here, on processors that workers could use.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from wc.core.config import Config
from wc.jobs import tombstones
from wc.jobs.folder import JobFolder

#: Seconds between two looks at the progress, and between two at whether the job has ended.
POLL_SECONDS, END_SECONDS = 0.2, 0.02
#: Progress files older than this are ignored; a new job has this long to write its first.
FRESH_SECONDS = 1.5


def watch(config: Config, job: str) -> Iterator[dict[str, Any]]:
    """Progress records (wc/replication/progress.py) until the job has ended here: with phase done
    and outcome at the end; phase waiting before there is any; phase unreachable and error while
    the host's Redis does not answer; or phase deleted at the end of a job that was deleted.

    Raises FileNotFoundError for a job not submitted here.
    """
    folder = JobFolder(config.jobs / job)
    started = time.time()
    poll: Callable[[], dict[str, Any]] | None = None
    while True:
        if not folder.path.exists() or folder.spec() is None:
            # Without a tombstone the host itself is going, or its disk: not the job.
            if job not in tombstones.read(config.jobs):
                raise FileNotFoundError(f"{folder.path}: no such job")
            yield {"origin": config.host, "phase": "deleted"}
            return
        # The outcome first: what is read after it cannot be older than it.
        outcome = folder.outcome()
        progress, written = folder.read_progress()
        if not progress or (not outcome and time.time() - written >= FRESH_SECONDS):
            if outcome or time.time() - max(written, started) >= FRESH_SECONDS:
                if poll is None:
                    module = importlib.import_module("wc.cli.replica_progress")
                    poll = module.poller(config, folder)
                progress = poll()
            else:
                progress = {"origin": config.host, "phase": "waiting"}
        if outcome:
            yield progress | {"phase": "done", "outcome": outcome}
            return
        yield progress
        for _ in range(round(POLL_SECONDS / END_SECONDS)):
            time.sleep(END_SECONDS)
            if folder.ended_mtime_ns():
                break
