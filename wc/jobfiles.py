"""A job on its driver's disk: one folder with specification, manifest and outcome.

The manifest is written and fsynced first, the specification last and by rename: a
folder with a specification is a job to be done, one without is a submission that did
not finish and may simply be made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wc import jobspec, manifest
from wc.jobspec import JobSpec
from wc.manifest import Manifest


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
            return jobspec.from_json((self.path / "spec.json").read_text())
        except FileNotFoundError:
            return None

    def manifest(self) -> Manifest:
        return manifest.read(self.path / "manifest.jsonl")

    def outcome(self) -> dict[str, Any] | None:
        """How the job ended as this driver saw it, or None while it runs."""
        try:
            found: dict[str, Any] = json.loads((self.path / "outcome.json").read_text())
        except FileNotFoundError:
            return None
        return found

    def submit(self, spec: JobSpec, files: Manifest) -> None:
        """Make the job durable. After this the driver will do it, whatever happens."""
        self.path.mkdir(parents=True, exist_ok=True)
        manifest.write(self.path / "manifest.jsonl", files)
        _write(self.path / "spec.json", spec.to_json())

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


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
