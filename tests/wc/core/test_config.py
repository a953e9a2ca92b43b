"""wc.json is read as it was written, and what is wrong with it is told by file and field."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wc.core import config
from wc.core.config import ConfigError, ReplicaAddress

WRITTEN: dict[str, Any] = {
    "cluster": "lab",
    "host": "h1",
    "data": "/d",  # nobody reads it
    "jobs": "/d/jobs",
    "replicas": [{"host": "h1", "address": "10.0.0.1", "port": 6379}],
    "origins": ["h1"],
    "secrets": {"worker": "/d/etc/secrets/worker"},
    "lease_seconds": 5,
    "max_deliveries": 10,
    "write_quorum": 1,
    "shared_files": True,
    "adopt_after_seconds": 10,
    "compact_after_seconds": 30,
    "compact_bytes": 1 << 28,
}


def load(folder: Path, **changes: Any) -> config.Config:
    path = folder / "wc.json"
    content = {key: value for key, value in (WRITTEN | changes).items() if value is not None}
    path.write_text(json.dumps(content))
    return config.load(path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    read = load(tmp_path)
    assert read.replicas == (ReplicaAddress("h1", "10.0.0.1", 6379),)
    assert (read.jobs, read.origins) == (Path("/d/jobs"), ("h1",))
    assert read.secrets == {"worker": Path("/d/etc/secrets/worker")}
    # What an older version did not write
    assert (read.repair_interval_seconds, read.repair_bytes_per_second) == (5.0, 8 << 20)
    assert load(tmp_path, repair_interval_seconds=0).repair_interval_seconds == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"jobs": None}, "missing required field `jobs`"),
        ({"write_quorum": "1"}, r"Expected `int`, got `str` - at `\$.write_quorum`"),
        ({"replicas": [{"host": "h1"}]}, r"field `address` - at `\$.replicas\[0\]`"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"wc.json: .*{says}; run `fab provision` again"):
        load(tmp_path, **changes)
    with pytest.raises(ConfigError, match=r"nothing\.json: No such file"):
        config.load(tmp_path / "nothing.json")


def test_a_file_of_a_later_format_is_refused(tmp_path: Path) -> None:
    """Given a file in which what is known means something else now, or is gone."""
    with pytest.raises(
        ConfigError, match=r"is of format 2, which faultline 3.1 wrote.*read up to 1"
    ):
        load(tmp_path, format=2, version="3.1", jobs=None)
    assert load(tmp_path, format=1, version="0.1.0") == load(tmp_path)


def test_a_controller_of_another_format_is_told_so(tmp_path: Path) -> None:
    """Given a command of a later controller. Expect it to be refused before anything else, and that
    of an older one, which says nothing of its format, not to be."""
    command = [sys.executable, "-m", "wc", "top", "--config", str(tmp_path / "wc.json")]

    def said(**variables: str) -> str:
        environment = {**os.environ, **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        return done.stderr

    assert "speak format 1, and the controller format 2" in said(FAULTLINE_FORMAT="2")
    for known in ({}, {"FAULTLINE_FORMAT": "1"}):
        assert "No such file" in said(**known)
