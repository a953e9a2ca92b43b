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
from dataclasses import asdict, dataclass, fields
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any, TypeVar

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


Kind = TypeVar("Kind", Record, Timer)


class Damaged(OSError):
    """A file that is no record. The message names it and says what to do."""


class Records:
    """The folder of records. Raises OSError where it cannot be used, Damaged of a file in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, record: Record) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._write(f"{record.id}.json", asdict(record))

    def write_timer(self, fault: str, timer: Timer) -> None:
        self._write(f"{fault}.timer", asdict(timer))

    def all(self) -> list[Record]:
        """Oldest first."""
        found = [self._read(path, Record) for path in self.folder.glob("*.json")]
        records = [record for record in found if record is not None]
        return sorted(records, key=lambda record: (record.started, record.id))

    def timer(self, fault: str) -> Timer | None:
        return self._read(self.folder / f"{fault}.timer", Timer)

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
        # The name, too, survives a power cut only once its folder is on disk.
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self, path: Path, kind: type[Kind]) -> Kind | None:
        try:
            content = json.loads(path.read_text())
            # A later version may say more of a fault; what heals it is said by all.
            return kind(**{field.name: content[field.name] for field in fields(kind)})
        except FileNotFoundError:  # ended meanwhile
            return None
        except (ValueError, TypeError, KeyError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else error
            raise Damaged(
                f"{path}: damaged: {reason}; undo that fault by hand, then remove the file"
            ) from None
