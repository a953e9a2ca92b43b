"""Records of the faults in force on this host: until when, and the command that heals each.

`<data>/run/faults/` belongs to root alone. Each fault has `ID.json`, written before any harm is
done, and `ID.timer`, written by its timer. A record is all that healing needs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from faults.host import clock, processes

LOCK_SECONDS = 5.0  # after this, go on without the lock: healing is idempotent, but must be in time
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Record:
    """One fault. `until` is seconds since `boot`; `started` and `deadline` are for people.

    `heal` is a shell command. It gets `before`, the state before the fault, as FAULT_BEFORE.
    """

    id: str
    fault: str
    target: str
    text: str
    started: float
    deadline: float
    boot: str
    until: float
    before: str
    heal: str

    @property
    def seconds_left(self) -> float:
        """0 when over, also after a reboot: then only the record of the fault is left."""
        return max(0.0, self.until - clock.since_boot()) if self.boot == clock.boot() else 0.0


@dataclass(frozen=True)
class Timer:
    pid: int
    start: int
    boot: str

    @property
    def alive(self) -> bool:
        return self.boot == clock.boot() and processes.alive(self.pid, self.start)


class Records:
    """The folder of records. Raises OSError where it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, record: Record) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._write(f"{record.id}.json", asdict(record))

    def write_timer(self, fault: str, timer: Timer) -> None:
        self._write(f"{fault}.timer", asdict(timer))

    def all(self) -> list[Record]:
        """Oldest first."""
        contents = [self._read(path) for path in self.folder.glob("*.json")]
        records = [Record(**content) for content in contents if content is not None]
        return sorted(records, key=lambda record: (record.started, record.id))

    def timer(self, fault: str) -> Timer | None:
        raw = self._read(self.folder / f"{fault}.timer")
        return Timer(**raw) if raw else None

    def exists(self, fault: str) -> bool:
        return (self.folder / f"{fault}.json").exists()

    def remove(self, fault: str) -> None:
        # The record last: nothing looks for a timer's file without a record.
        (self.folder / f"{fault}.timer").unlink(missing_ok=True)
        (self.folder / f"{fault}.json").unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One change at a time on this host."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while time.monotonic() < deadline:
                try:
                    flock(descriptor, LOCK_EX | LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self.folder / name
        aside = path.with_name(f".{name}.{os.getpid()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:  # ended meanwhile
            return None
        return found
