"""A job on its driver's disk: one folder with specification, manifest and outcome.

A job begins in two steps, so that a controller killed in between leaves nothing half
started: every origin prepares (manifest and pending specification, fsynced), then every
origin activates, which is a rename. If any origin is active, all are prepared, and
whoever starts the job again only has to activate the rest. The last to prepare may activate at
once. A revision of its files goes the same way.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wc.jobs import doorbell, manifest
from wc.jobs.manifest import Manifest
from wc.jobs.spec import JobSpec, SpecError


@dataclass(frozen=True)
class JobFolder:
    """The files of one job under ``jobs/NAME``."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def spec(self) -> JobSpec | None:
        """The specification, or None if the job was not submitted here (or not wholly)."""
        try:
            return JobSpec.from_json((self.path / "spec.json").read_text())
        except FileNotFoundError:
            return None

    @property
    def _pending(self) -> Path:
        return self.path / "spec.pending"

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.jsonl"

    def manifest(self) -> Manifest:
        return manifest.read(self.manifest_path)

    def outcome(self) -> dict[str, Any] | None:
        """How the job ended as this driver saw it, or None while it runs or is revised."""
        try:
            found: dict[str, Any] = json.loads((self.path / "outcome.json").read_text())
        except FileNotFoundError:
            return None
        return found if found["revision"] == manifest.revision(self.manifest_path) else None

    def ended_with(self) -> int:
        """When the manifest that was done was written (ns), or 0 while the job runs. Cheap."""
        try:
            os.stat(self.path / "outcome.json")
            return os.stat(self.manifest_path).st_mtime_ns
        except FileNotFoundError:
            return 0

    def prepare(self, spec: JobSpec, files: Manifest, *, activate: bool = False) -> None:
        """Make the job durable without starting it, unless it is to be activated at once. May be
        done again, also by somebody else: the latest counts. Raises SpecError if it was started."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self.spec() is not None:
                raise SpecError(_by_somebody_else(spec.name))
            manifest.write(self.manifest_path, files)
            _write(self._pending, spec.to_json())
            if activate:
                self._pending.replace(self.path / "spec.json")
        if activate:
            doorbell.ring(self.path.parent)

    def activate(self, created: float | None = None) -> None:
        """Start a prepared job; the driver will do it, whatever happens. Idempotent.

        Raises FileNotFoundError if it was never prepared, SpecError if what is prepared or started
        here is not what was ``created`` then, but somebody else's job of the same name.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: no such job")
        with self._alone():
            spec = self.spec() or JobSpec.from_json(self._pending.read_text())
            if created not in (None, spec.created):
                raise SpecError(_by_somebody_else(spec.name))
            if self.spec() is None:
                self._pending.replace(self.path / "spec.json")
        doorbell.ring(self.path.parent)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time."""
        with (self.path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def prepare_revision(self, files: Manifest) -> None:
        """Make a revision of the files durable without starting it."""
        manifest.write(self.path / "manifest.next", files)

    def activate_revision(self, revision: int) -> None:
        """Start a prepared revision. Idempotent. Raises FileNotFoundError if it is not there."""
        following = self.path / "manifest.next"
        if following.exists() and manifest.revision(following) == revision:
            following.replace(self.manifest_path)
        elif manifest.revision(self.manifest_path) != revision:
            raise FileNotFoundError(f"{following}: revision {revision} was not prepared")
        self.reopen()
        doorbell.ring(self.path.parent)

    def note(self, progress: dict[str, Any]) -> None:
        """Tell those who watch how far the job is. Not for keeps."""
        temporary = self.path / "progress.new"
        temporary.write_text(json.dumps(progress))
        temporary.replace(self.path / "progress.json")

    def noted(self) -> tuple[dict[str, Any], float]:
        """The latest note, and when that was (seconds since the epoch); {} and 0.0 if none."""
        path = self.path / "progress.json"
        try:
            return json.loads(path.read_text()), path.stat().st_mtime
        except FileNotFoundError:
            return {}, 0.0

    def end(self, outcome: dict[str, Any]) -> None:
        _write(self.path / "outcome.json", json.dumps(outcome))

    def reopen(self) -> None:
        (self.path / "outcome.json").unlink(missing_ok=True)


def folders(jobs: Path) -> Iterator[JobFolder]:
    """The folders of all jobs, unordered."""
    with os.scandir(jobs) as entries:
        for entry in entries:
            if entry.is_dir():
                yield JobFolder(Path(entry.path))


def _by_somebody_else(job: str) -> str:
    return (
        f"job {job} was started before, by somebody else at the same time; "
        "run it again to attach to it"
    )


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
