"""How whoever starts a job has its driver look at once: a named pipe among the jobs.

The driver looks now and then all the same. A ring that nobody hears is no error: a driver that
begins looks at all jobs.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress
from pathlib import Path

NAME = ".doorbell"


class Doorbell:
    """The driver's side. Raises OSError where no pipe can be made."""

    def __init__(self, jobs: Path) -> None:
        path = jobs / NAME
        with suppress(FileNotFoundError):
            if not stat.S_ISFIFO(path.lstat().st_mode):
                path.unlink()
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # For writing too: else it would be at its end as soon as the first who rang had gone.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> None:
        """Return once somebody has rung since the last time, or after ``seconds``."""
        if select.select([self._pipe], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._pipe, 4096)

    def close(self) -> None:
        os.close(self._pipe)


def ring(jobs: Path) -> None:
    """Have the driver of these jobs look, if there is one."""
    with suppress(OSError):
        pipe = os.open(jobs / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(pipe, b".")
        finally:
            os.close(pipe)
