from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that others than root may enter: pytest's own are closed to workers."""
    path = Path(tempfile.mkdtemp(prefix="faultline-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
