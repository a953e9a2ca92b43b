"""Where the project's files are, and the cache of downloaded wheels and built extensions."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

#: The folder that the packages are in: a checkout, or site-packages.
PACKAGES = Path(__file__).resolve().parents[2]
#: Whether they run from a checkout, which has the C sources and all that is no package.
IN_CHECKOUT = (PACKAGES / "setup.py").exists()
#: pyproject.toml, inventory.toml and supervisor/: `pip install` puts them where data goes.
DATA = PACKAGES if IN_CHECKOUT else Path(sysconfig.get_path("data"), "share/faultline")


def cache() -> Path:
    """~/.cache/faultline, or below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faultline"
