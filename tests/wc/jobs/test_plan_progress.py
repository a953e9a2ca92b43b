"""How far a plan is, is known while it is made, and only then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wc.jobs import plan_progress


def test_it_is_known_until_the_plan_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_progress, "WRITE_SECONDS", 0.0)
    assert plan_progress.read(tmp_path) is None
    with plan_progress.writing(tmp_path) as progress:
        for files in (256, 512):
            progress(files)
            assert plan_progress.read(tmp_path) == files
    assert plan_progress.read(tmp_path) is None


def test_what_a_killed_plan_left_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / plan_progress.NAME).write_text('{"files": 7}')
    assert plan_progress.read(tmp_path) == 7
    os.utime(tmp_path / plan_progress.NAME, (1, 1))
    assert plan_progress.read(tmp_path) is None
