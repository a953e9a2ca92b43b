"""The two steps in which a job begins on an origin's disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster
from wc.jobs import doorbell
from wc.jobs.doorbell import Doorbell
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import InputFile, Manifest
from wc.jobs.spec import JobSpec, SpecError

FILES = Manifest(100, [InputFile("/in/a", 10, 1, "", False)])


def spec_of(created: float) -> JobSpec:
    return JobSpec("job", "/in/*", "whitespace", "strict", 100, 1, ("h1",), True, created)


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """Whether the driver's bell was rung since the last time."""
    bell = Doorbell(tmp_path)
    pipe = os.open(tmp_path / doorbell.NAME, os.O_RDONLY | os.O_NONBLOCK)

    def rang() -> bool:
        try:
            return bool(os.read(pipe, 4096))
        except BlockingIOError:
            return False

    yield rang
    os.close(pipe)
    bell.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_job_begins_when_it_is_activated(
    tmp_path: Path, bell: Callable[[], bool], at_once: bool
) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.prepare(spec_of(1.0), FILES, activate=at_once)
    assert bell() == at_once
    if not at_once:
        assert folder.spec() is None
        folder.activate(created=1.0)
        assert bell()
    assert folder.spec() == spec_of(1.0)
    assert folder.manifest().total == FILES.total


def test_until_it_begins_the_latest_who_prepares_it_counts(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.prepare(spec_of(1.0), FILES)
    folder.prepare(spec_of(2.0), FILES)
    with pytest.raises(SpecError, match="somebody else"):
        folder.activate(created=1.0)
    folder.activate(created=2.0)
    folder.activate(created=2.0)  # again: no harm
    assert folder.spec() == spec_of(2.0)


def test_a_job_that_has_begun_is_not_begun_by_another(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job")
    folder.prepare(spec_of(1.0), FILES, activate=True)
    for at_once in (False, True):
        with pytest.raises(SpecError, match="run it again to attach"):
            folder.prepare(spec_of(2.0), Manifest(100, []), activate=at_once)
    assert folder.spec() == spec_of(1.0)
    assert folder.manifest().total == FILES.total


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("[", "standard input is no JSON: "),
        ("[1]", "standard input is no JSON object with spec, files"),
        ('{"files": []}', "standard input is no JSON object with spec, files"),
        ('{"spec": {}, "files": []}', "not a job specification: name is no str"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    make_cluster: Callable[..., Cluster], given: str, says: str
) -> None:
    cluster = make_cluster(nodes=1)
    with pytest.raises(AssertionError, match=f"^{says}"):
        cluster.ask(cluster.node("h1"), "prepare", "--activate", stdin=given)
    assert not list(cluster.node("h1").folder.glob("jobs/*/*"))
