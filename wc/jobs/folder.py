"""A job on its driver's disk: one folder with specification, manifest and outcome.

A job begins in two steps, so that a controller killed in between leaves nothing half started.
First every origin prepares: manifest and pending specification, fsynced. Then every origin
activates, which is a rename. If any origin is active, all are prepared, and whoever starts the job
again only has to activate the rest. The last origin to prepare may activate at once. A revision of
the manifest goes the same way.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wc.core import atomic_file
from wc.jobs import doorbell, tombstones
from wc.jobs import manifest as manifest_file
from wc.jobs.manifest import Manifest
from wc.jobs.planning import Share, first_manifest
from wc.jobs.spec import JobSpec, SpecError

#: A worker that waits says so again within this time.
WAIT_SECONDS = 15.0
#: How the names of the files begin in which workers say it.
_WAIT = "wait."


@dataclass(frozen=True)
class JobFolder:
    """The files of one job under ``jobs/NAME``."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def spec(self) -> JobSpec | None:
        """The specification, or None before the job was activated here. Raises SpecError."""
        try:
            return JobSpec.from_json(self._active.read_text())
        except FileNotFoundError:
            return None
        except SpecError as error:
            raise SpecError(f"{self._active}: {error}") from None

    def is_active(self) -> bool:
        """Whether the job was activated here."""
        return self._active.exists()

    @property
    def _active(self) -> Path:
        return self.path / "spec.json"

    @property
    def _pending(self) -> Path:
        return self.path / "spec.pending"

    @property
    def manifest_path(self) -> Path:
        return self.path / "manifest.jsonl"

    def manifest(self) -> Manifest:
        return manifest_file.read(self.manifest_path)

    def planned(self, origin: str) -> Manifest | None:
        """Another origin's manifest as it was when the job was planned; None if it is not known
        here, as where files are not shared."""
        spec, path = self.spec(), self.path / "peers.json"
        peers = json.loads(path.read_text()) if path.exists() else {}
        if spec is None or origin not in peers:
            return None
        return first_manifest(peers[origin], spec.split_bytes)

    def outcome(self) -> dict[str, Any] | None:
        """How the job ended as this driver saw it, or None while it runs or a revision is new."""
        try:
            outcome: dict[str, Any] = json.loads((self.path / "outcome.json").read_text())
        except FileNotFoundError:
            return None
        same = outcome["revision"] == manifest_file.revision(self.manifest_path)
        return outcome if same else None

    def ended_mtime_ns(self) -> int:
        """The manifest's mtime (ns) if there is an outcome, else 0. Cheap: reads no file."""
        try:
            os.stat(self.path / "outcome.json")
            return os.stat(self.manifest_path).st_mtime_ns
        except FileNotFoundError:
            return 0

    def prepare(
        self,
        spec: JobSpec,
        manifest: Manifest,
        peers: Mapping[str, Share] | None = None,
        *,
        activate: bool = False,
    ) -> None:
        """Make the job durable; with ``activate`` also start it. ``peers`` are the shares of the
        other origins, whose manifests may not reach this host in time.

        May be repeated, also by another controller: the latest counts. Raises SpecError if the job
        was started already, or a deleted one had its name.
        """
        if spec.name in tombstones.read(self.path.parent):
            raise SpecError(
                f"job {spec.name}: a job of this name was deleted, and names are not used twice; "
                "choose another --name"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        atomic_file.sync_folder(self.path.parent)
        with self._locked():
            if self.spec() is not None:
                raise SpecError(_started_by_another(spec.name))
            manifest_file.write(self.manifest_path, manifest)
            atomic_file.write(self.path / "peers.json", json.dumps(peers or {}))
            atomic_file.write(self._active if activate else self._pending, spec.to_json())
        if activate:
            doorbell.ring(self.path.parent)

    def activate(self, created: float | None = None) -> None:
        """Start a prepared job: from here on the driver does it, whatever happens. Idempotent.

        ``created`` is that of the caller's specification, in seconds since the epoch. Raises
        FileNotFoundError if the job was never prepared, SpecError if what is prepared or started
        here is another controller's job of the same name.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path}: no such job")
        with self._locked():
            spec = self.spec() or JobSpec.from_json(self._pending.read_text())
            if created not in (None, spec.created):
                raise SpecError(_started_by_another(spec.name))
            if self.spec() is None:
                atomic_file.rename(self._pending, self._active)
        doorbell.ring(self.path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time."""
        with (self.path / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def prepare_revision(self, manifest: Manifest) -> None:
        """Make the next revision of the manifest durable without starting it."""
        manifest_file.write(self.path / "manifest.next", manifest)

    def activate_revision(self, revision: int) -> None:
        """Start a prepared revision. Idempotent. Raises FileNotFoundError if it is not there."""
        following = self.path / "manifest.next"
        if following.exists() and manifest_file.revision(following) == revision:
            atomic_file.rename(following, self.manifest_path)
        elif manifest_file.revision(self.manifest_path) != revision:
            raise FileNotFoundError(f"{following}: revision {revision} was not prepared")
        self.reopen()
        doorbell.ring(self.path.parent)

    def write_progress(self, progress: dict[str, Any]) -> None:
        """Say how far the job is, for ``read_progress``. Not durable."""
        atomic_file.write(self.path / "progress.json", json.dumps(progress), durable=False)

    def read_progress(self) -> tuple[dict[str, Any], float]:
        """The latest progress and when it was written (seconds since the epoch); or {} and 0.0."""
        path = self.path / "progress.json"
        try:
            return json.loads(path.read_text()), path.stat().st_mtime
        except FileNotFoundError:
            return {}, 0.0

    def note_wait(self, worker: str, reason: str) -> None:
        """Say what a worker of this host waits for; "": it waits no longer. Not durable."""
        path = self.path / f"{_WAIT}{worker}"
        if reason:
            atomic_file.write(path, reason, durable=False)
        else:
            path.unlink(missing_ok=True)

    def waits(self) -> dict[str, str]:
        """What workers of this host waited for in the last WAIT_SECONDS, by worker."""
        found = {}
        for path in self.path.glob(f"{_WAIT}*[0-9]"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime < WAIT_SECONDS:
                    found[path.name.removeprefix(_WAIT)] = path.read_text()
        return found

    def write_outcome(self, outcome: dict[str, Any]) -> None:
        """Record how the job ended. Durable."""
        atomic_file.write(self.path / "outcome.json", json.dumps(outcome))

    def reopen(self) -> None:
        """Put the outcome aside, so that the driver goes on with the job."""
        with suppress(FileNotFoundError):
            (self.path / "outcome.json").replace(self._earlier)

    @property
    def _earlier(self) -> Path:
        return self.path / "outcome.earlier.json"

    def first_end(self, revision: int) -> dict[str, Any] | None:
        """When the job, at this revision of its files, first ended here; None if it has not.

        It is what the driver wrote into its first outcome, or {} if that was before this folder.
        """
        try:
            earlier = json.loads(self._earlier.read_text())
        except FileNotFoundError:
            return None
        if earlier["revision"] != revision:
            return None
        # An earlier version wrote no first end: the latest it wrote is the first that is known.
        end = {key: earlier[key] for key in ("counted", "ended", "away") if key in earlier}
        first: dict[str, Any] = earlier.get("first", end)
        return first

    def write_restored(self, revision: int) -> None:
        """Record that the job, at this revision, may have ended before this folder was made."""
        atomic_file.write(self._earlier, json.dumps({"revision": revision, "first": {}}))


def folders(jobs: Path) -> Iterator[JobFolder]:
    """The folders of all jobs, unordered."""
    with os.scandir(jobs) as entries:
        for entry in entries:
            if entry.is_dir() and not entry.name.startswith("."):
                yield JobFolder(Path(entry.path))


def _started_by_another(job: str) -> str:
    return (
        f"job {job} was started before, by somebody else at the same time; "
        "run it again to attach to it"
    )
