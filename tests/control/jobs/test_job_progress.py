"""Following a job to its end, whatever becomes of the hosts that are asked."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from control.cluster import HostError
from control.jobs import job_progress

ORIGINS = ["h1", "h2", "h3"]
SPEC = {"name": "job", "origins": ORIGINS}
DONE = {"phase": "done", "outcome": {"complete": True, "away": [], "dead": {}}}


class Hosts:
    """Stands for a cluster whose hosts give these updates; hosts without one do not answer."""

    def __init__(self, updates: dict[str, dict[str, Any]]) -> None:
        self._updates = updates
        self.inventory = SimpleNamespace(host=lambda name: SimpleNamespace(name=name))

    def stream(self, host: Any, *_: str) -> Iterator[dict[str, Any]]:
        if host.name not in self._updates:
            raise HostError(host.name, "no such host")
        yield self._updates[host.name]


def test_a_host_that_goes_when_the_job_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a job that has ended on two hosts, neither of which knew of a host that was away
    monkeypatch.setattr(job_progress, "LAST_SECONDS", 0.2)
    hosts: Any = Hosts({"h1": DONE, "h2": DONE})
    # If the third does not answer; expect the following to end, and to say so
    progress = job_progress.follow(hosts, SPEC, lambda _: None)
    assert progress.ended
    assert progress.away == progress.missed == ["h3"]


def test_a_host_that_is_known_to_be_away_is_not_waited_for() -> None:
    away = {"phase": "done", "outcome": DONE["outcome"] | {"away": ["h3"]}}
    hosts: Any = Hosts({"h1": away, "h2": away})
    progress = job_progress.follow(hosts, SPEC, lambda _: None)
    assert (progress.away, progress.missed) == (["h3"], [])
