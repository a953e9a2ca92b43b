"""What is said while a plan is made."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from control.cluster import HostError
from control.jobs import plan_files


def test_it_is_said_how_far_a_plan_is(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a host that plans until three reports have come, and one of an earlier version
    for name in ("POLL_SECONDS", "REPORT_SECONDS"):
        monkeypatch.setattr(plan_files, name, 0.0)
    seen = itertools.chain([None, 1000, 2000], itertools.repeat(None))
    enough = threading.Event()
    said: list[str] = []

    class Cluster:
        inventory = SimpleNamespace(origins=("h1", "h2"))

        def first(self, ask: Any, hosts: Any) -> Any:
            return ask(hosts[0])

        def on_all(self, ask: Any, hosts: Any) -> dict[str, Any]:
            return {"h1": ask("h1"), "h2": HostError("h2", "invalid choice: planning")}

        def ask(self, host: str, command: str, *words: str, timeout: float = 0) -> Any:
            if command == "planning":
                return {"files": next(seen)}
            assert enough.wait(60)
            return {"host": host, "files": []}

    def report(text: str) -> None:
        said.append(text)
        if len(said) == 3:
            enough.set()

    assert plan_files.plan(Cluster(), "/*", "letters", True, report=report) == {"h1": []}  # type: ignore[arg-type]
    assert said[:3] == [
        "planning: 1,000 files so far",
        "planning: 2,000 files so far",
        "planning: the list is on its way",
    ]
