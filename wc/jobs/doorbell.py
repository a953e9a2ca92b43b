"""The doorbell: a named pipe beside the jobs, by which a driver learns of a new job at once.

The driver also looks at its jobs now and then, and when it begins. So a ring that nobody hears is
no error.
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
        # Opened for writing too: else reading would end as soon as the first writer had closed it.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> None:
        """Return once somebody has rung since the last time, or after ``seconds``."""
        if select.select([self._pipe], [], [], seconds)[0]:
            with suppress(BlockingIOError):
                os.read(self._pipe, 4096)

    def close(self) -> None:
        os.close(self._pipe)


def ring(jobs: Path) -> None:
    """Make the driver of these jobs look at them now, if it runs."""
    with suppress(OSError):
        pipe = os.open(jobs / NAME, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(pipe, b".")
        finally:
            os.close(pipe)
