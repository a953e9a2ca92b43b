"""One cluster for the whole folder, and inputs that its workers may read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netns import TestCluster, netns_cluster, poll

BIBLE = "gen1:1-rev22:21"
BIBLE_FILES = 9
BIBLE_PACKAGES = ["bible-kjv", "bible-kjv-text"]
#: Short, so that the split of a killed worker is soon free.
WORKERS = {"per_host": 2, "lease_seconds": 2}


@dataclass(frozen=True)
class Corpus:
    """Files that match a glob, and what their words are by `str.split`."""

    glob: str
    counts: Counter[str]

    @property
    def files(self) -> list[Path]:
        return sorted(Path(self.glob).parent.glob(Path(self.glob).name))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Three provisioned netns hosts, their programs running."""
    # Nothing is folded here: some tests look into single deltas.
    kept = {"compact_after": 3600}
    with netns_cluster(tmp_path_factory.mktemp("e2e"), workers=WORKERS, redis=kept) as found:
        found.fab("provision")
        for host in found.inventory.hosts:
            poll(lambda name=host.name: found.all_run(name))
        yield found


@pytest.fixture(scope="session")
def public() -> Iterator[Path]:
    """A folder that others than root may enter: pytest's own are closed to workers."""
    path = Path(tempfile.mkdtemp(prefix="faultline-", dir="/var/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture
def folder(public: Path) -> Iterator[Path]:
    """The same for one test alone."""
    path = Path(tempfile.mkdtemp(dir=public))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def bible(public: Path) -> Corpus:
    """The King James Bible: 4.4 MB in nine files, cut between lines."""
    require_bible()
    text = subprocess.check_output(["bible", "-f", BIBLE], stdin=subprocess.DEVNULL, text=True)
    lines = text.splitlines(keepends=True)
    assert len(lines) > 31_000, f"bible -f {BIBLE} gave {len(lines)} verses"
    (public / "bible").mkdir(mode=0o755)
    for number in range(BIBLE_FILES):
        part = lines[number * len(lines) // BIBLE_FILES : (number + 1) * len(lines) // BIBLE_FILES]
        (public / f"bible/{number}.txt").write_text("".join(part))
    return Corpus(f"{public}/bible/*.txt", Counter(text.split()))


def require_bible() -> None:
    """In CI install it, and fail without; on a laptop say what to install, and skip."""
    if shutil.which("bible"):
        return
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *BIBLE_PACKAGES]
    if not os.environ.get("CI"):
        pytest.skip(f"needs the King James Bible: {' '.join(install)}")
    subprocess.run(install, check=True)
    assert shutil.which("bible"), f"{' '.join(BIBLE_PACKAGES)}: no command `bible` in them"
