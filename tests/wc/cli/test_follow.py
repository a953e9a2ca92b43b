"""Following a job: from what its driver notes, and from the replica where it notes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import REPOSITORY, Cluster, Node
from wc.cli import follow
from wc.core import config
from wc.jobs import tombstones
from wc.jobs.folder import JobFolder

NOTE = {"origin": "h1", "phase": "counting", "splits": 3, "bytes": 30, "applied": 1, "dead": 0}


@pytest.fixture
def prepared(make_cluster: Callable[..., Cluster], tmp_path: Path) -> tuple[Node, JobFolder]:
    """A job that is submitted to one host, without driver or worker."""
    cluster = make_cluster(nodes=1)
    write_files(tmp_path / "in", 3, 10)
    cluster.submit("watched", f"{tmp_path}/in/*.txt")
    node = cluster.node("h1")
    return node, JobFolder(node.folder / "jobs" / "watched")


def first_look(node: Node) -> dict[str, object]:
    return next(follow.watch(config.load(node.config_path), "watched"))


def age(folder: JobFolder, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder.path / "progress.json", (then, then))


def test_a_fresh_note_is_enough(prepared: tuple[Node, JobFolder]) -> None:
    node, folder = prepared
    node.kill_redis()
    folder.write_progress(NOTE)
    assert first_look(node) == NOTE


def test_only_a_tombstone_says_that_a_job_was_deleted(prepared: tuple[Node, JobFolder]) -> None:
    # Given somebody who follows a job
    node, folder = prepared
    folder.write_progress(NOTE)
    watched = follow.watch(config.load(node.config_path), "watched")
    assert next(watched) == NOTE
    # If its folder goes with its host, expect that not to be taken for a deletion
    shutil.rmtree(folder.path)
    with pytest.raises(FileNotFoundError, match="no such job"):
        next(watched)
    # ... and a deletion to be told
    tombstones.add(folder.path.parent, {"watched": ["h1"]})
    assert first_look(node) == {"origin": "h1", "phase": "deleted"}


def test_where_the_note_is_old_the_replica_is_asked(
    prepared: tuple[Node, JobFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, folder = prepared
    monkeypatch.setattr(follow, "FRESH_SECONDS", 0.0)
    folder.write_progress(NOTE | {"phase": "publishing"})
    age(folder, 60.0)
    look = first_look(node)
    assert (look["phase"], look["applied"], look["splits"]) == ("enqueueing", 0, 3)
    node.kill_redis()
    look = first_look(node)
    assert look["phase"] == "unreachable"
    assert look["error"]
    assert look["splits"] == 3


def test_a_job_that_has_just_begun_is_waited_for(prepared: tuple[Node, JobFolder]) -> None:
    node, _ = prepared
    node.kill_redis()
    assert first_look(node) == {"origin": "h1", "phase": "waiting"}


def test_the_end_has_what_was_noted_last_however_long_ago(
    prepared: tuple[Node, JobFolder],
) -> None:
    node, folder = prepared
    folder.write_progress(NOTE)
    age(folder, 3600.0)
    folder.write_outcome({"revision": 0, "complete": True})
    looks = list(follow.watch(config.load(node.config_path), "watched"))
    assert looks == [NOTE | {"phase": "done", "outcome": {"revision": 0, "complete": True}}]


def test_the_end_of_a_job_without_a_note(prepared: tuple[Node, JobFolder]) -> None:
    node, folder = prepared
    folder.write_outcome({"revision": 0, "complete": True})
    (look,) = follow.watch(config.load(node.config_path), "watched")
    assert look["phase"] == "done"
    assert look["splits"] == 3


def test_a_job_that_was_not_submitted_here(prepared: tuple[Node, JobFolder]) -> None:
    node, _ = prepared
    with pytest.raises(FileNotFoundError, match="no such job"):
        next(follow.watch(config.load(node.config_path), "another"))


def test_a_whole_job_is_told_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job that has begun
    write_files(tmp_path / "in", 9, 2000)
    total = sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    cluster.start()
    cluster.submit("watched", f"{tmp_path}/in/*.txt", split_bytes=50_000)
    # If all its hosts are watched
    ends = []
    for node in cluster.nodes:
        words = [sys.executable, "-m", "wc", "watch", "--config", str(node.config_path)]
        done = subprocess.run(
            [*words, "--job", "watched"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        ends.append(json.loads(done.stdout.splitlines()[-1]))
    # Expect every split and byte in the end
    assert {end["phase"] for end in ends} == {"done"}
    assert all(end["applied"] == end["splits"] for end in ends)
    assert sum(end["counted"] for end in ends) == sum(end["bytes"] for end in ends) == total


def test_to_follow_what_is_noted_imports_no_redis() -> None:
    """It takes longer than all else that following does."""
    words = "import sys, wc.cli.file_commands; sys.exit('redis' in sys.modules)"
    subprocess.run([sys.executable, "-c", words], cwd=REPOSITORY, check=True)
