"""Following a job on one host: what its origin's splits and replica have come to, again and again.

The driver notes its progress beside the job. Where that note is fresh it is enough; else, as the
driver is busy or dead, the replica is asked, for which Redis' client is imported: that takes
longer than all else here, on processors that workers could use.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from wc.core.config import Config
from wc.jobs.folder import JobFolder

LOOK_SECONDS = 0.2
#: A note is believed for so long; and so long a job may be without one when it begins.
FRESH_SECONDS = 1.5

Ask = Callable[[], dict[str, Any]]


def watch(config: Config, job: str) -> Iterator[dict[str, Any]]:
    """Looks until the job has ended here: progress records (wc/driver/progress.py), with phase done
    and outcome at the end, or phase unreachable and error while the host's Redis does not answer.

    Raises FileNotFoundError for a job not submitted here.
    """
    folder = JobFolder(config.jobs / job)
    started = time.time()
    ask: Ask | None = None
    if folder.spec() is None:
        raise FileNotFoundError(f"{folder.path}: no such job")
    while True:
        # The outcome first: what is read after it cannot be older than it.
        outcome = folder.outcome()
        noted, at = folder.read_progress()
        if noted and (outcome or time.time() - at < FRESH_SECONDS):
            look = noted
        elif outcome or time.time() - max(at, started) >= FRESH_SECONDS:
            ask = ask or importlib.import_module("wc.cli.asking").asking(config, folder)
            look = ask()
        else:
            look = {"origin": config.host, "phase": "waiting"}
        if outcome:
            yield look | {"phase": "done", "outcome": outcome}
            return
        yield look
        time.sleep(LOOK_SECONDS)
