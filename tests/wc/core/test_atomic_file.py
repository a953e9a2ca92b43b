"""A file is replaced as a whole, and what must be on disk is, before anybody goes on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from wc.core import atomic_file
from wc.jobs import manifest
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import InputFile, Manifest
from wc.jobs.spec import JobSpec

FILES = Manifest(100, [InputFile("/in/a", 10, 1, "none", False)])
SPEC = JobSpec("job", "/in/*", "whitespace", "strict", 100, 1, ("h1",), True, 1.0)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names that were fsynced, and ``old -> new`` of renames, in their order."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor: int) -> None:
        seen.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def recorded_replace(source: Path, target: Path) -> Path:
        replaced = replace(source, target)
        seen.append(f"{source.name} -> {target.name}")
        return replaced

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    return seen


@pytest.mark.parametrize("content", ["é", "é".encode()])
def test_the_content_is_synced_before_the_rename_and_the_folder_after(
    tmp_path: Path, synced: list[str], content: str | bytes
) -> None:
    atomic_file.write(tmp_path / "a.json", content)
    assert synced == ["a.json.part", "a.json.part -> a.json", tmp_path.name]
    assert (tmp_path / "a.json").read_text() == "é"


def test_what_may_be_lost_is_not_synced(tmp_path: Path, synced: list[str]) -> None:
    atomic_file.write(tmp_path / "a", "text", durable=False)
    assert synced == ["a.part -> a"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    # Given a file
    path = tmp_path / "a"
    path.write_text("old")
    # If writing another in its place fails half-way; expect the old one alone

    def fail() -> None:
        with atomic_file.replacing(path) as file:
            file.write(b"new")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


def test_a_file_is_as_private_as_asked_from_its_first_byte(tmp_path: Path) -> None:
    with atomic_file.replacing(tmp_path / "a", mode=0o600) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


@pytest.mark.parametrize(("activate", "name"), [(False, "spec.pending"), (True, "spec.json")])
def test_a_prepared_job_survives_a_power_cut(
    tmp_path: Path, synced: list[str], activate: bool, name: str
) -> None:
    # If a job is prepared
    JobFolder(tmp_path / "jobs" / "job").prepare(SPEC, FILES, activate=activate)
    # Expect its folder to be on disk first, then the manifest, then what makes it a job
    assert synced == [
        "jobs",
        *["manifest.jsonl.part", "manifest.jsonl.part -> manifest.jsonl", "job"],
        *["peers.json.part", "peers.json.part -> peers.json", "job"],
        *[f"{name}.part", f"{name}.part -> {name}", "job"],
    ]


def test_what_is_activated_or_ended_stays_so_after_a_power_cut(
    tmp_path: Path, synced: list[str]
) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.prepare(SPEC, FILES)
    folder.prepare_revision(FILES.revise(1, ["/in/a"], []))
    synced.clear()
    folder.activate()
    folder.activate_revision(1)
    assert synced == [
        *["spec.pending -> spec.json", "job"],
        *["manifest.next -> manifest.jsonl", "job"],
    ]
    synced.clear()
    folder.write_outcome({"revision": 1})
    assert synced == ["outcome.json.part", "outcome.json.part -> outcome.json", "job"]
    assert manifest.revision(folder.manifest_path) == 1
