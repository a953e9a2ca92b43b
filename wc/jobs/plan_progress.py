"""How far the planning of a job is on a host, which may take a minute: a file beside the jobs.

A job that is planned is not there yet, and who plans it may be killed: so an old file says nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wc.core import atomic_file

NAME = ".planning.json"
#: Seconds between two writes; and for how long one is believed.
WRITE_SECONDS, FRESH_SECONDS = 0.5, 10.0


@contextmanager
def writing(jobs: Path) -> Iterator[Callable[[int], None]]:
    """What is to be told how many files were seen. The file is removed at the end. Raises
    OSError."""
    written = time.monotonic()

    def write(files: int) -> None:
        nonlocal written
        if time.monotonic() - written >= WRITE_SECONDS:
            written = time.monotonic()
            atomic_file.write(jobs / NAME, json.dumps({"files": files}), durable=False)

    try:
        yield write
    finally:
        (jobs / NAME).unlink(missing_ok=True)


def read(jobs: Path) -> int | None:
    """How many files were seen by now, or None if no job is planned, or for too short a time."""
    try:
        if time.time() - (jobs / NAME).stat().st_mtime > FRESH_SECONDS:
            return None
        return int(json.loads((jobs / NAME).read_text())["files"])
    except FileNotFoundError:
        return None
