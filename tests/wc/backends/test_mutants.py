"""The random histories find what is planted: each bug of ``mutants``, within a few histories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wc.support import mutants
from tests.wc.support.cluster import Cluster
from tests.wc.support.machine import run
from wc.backends.redis import functions

#: Histories before a bug counts as not found, and steps of each at most.
EXAMPLES, STEPS = 150, 40


@pytest.fixture
def own(servers: Cluster) -> Iterator[Cluster]:
    """Servers whose library is put back after the test."""
    yield servers
    _load(servers, functions.source())


def _load(servers: Cluster, source: str) -> None:
    for node in servers.nodes:
        servers.client(node.name).function_load(source, replace=True)


def require_found(servers: Cluster, folder: Path) -> None:
    """A history ends with a failed check: one of the same ones each time, or of some new ones, as
    what happens at once in a history is a matter of timing."""
    for number, anew in enumerate((False, True, True)):
        place = folder / str(number)
        place.mkdir()
        try:
            # The shortest such history is of no interest here.
            run(servers, place, EXAMPLES, STEPS, anew=anew, shrink=False)
        except AssertionError:
            return
    pytest.fail("no history found it")


@pytest.mark.parametrize("bug", mutants.LUA, ids=lambda bug: bug.name)
def test_a_bug_in_the_library_is_found(own: Cluster, tmp_path: Path, bug: mutants.LuaBug) -> None:
    # Given servers with a changed library
    _load(own, bug.source())
    # If the histories run; expect one of them to end with a failed check
    require_found(own, tmp_path)


@pytest.mark.parametrize("bug", mutants.PYTHON, ids=lambda bug: bug.name)
def test_a_bug_in_python_is_found(
    own: Cluster, tmp_path: Path, bug: mutants.PythonBug, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a part that is wrong
    right = getattr(bug.target(), bug.attribute)
    monkeypatch.setattr(bug.target(), bug.attribute, bug.wrong(right))
    # If the histories run; expect one of them to end with a failed check
    require_found(own, tmp_path)
