"""Many files, large files: time and memory. The largest only with FAULTLINE_LARGE=1."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from control.deal_files import FILES_PER_SPLIT
from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import (
    admin,
    answer_of,
    count_of,
    host_names,
    same,
    start,
    stopped,
    until,
    workers,
)
from tests.netns import TestCluster
from wc.backends.redis.keys import JobKeys
from wc.driver.outbox import BACKLOG_FILES, ENQUEUE_FILES

pytestmark = pytest.mark.cluster
MB = 1_000_000
MANY = 100_000
#: A page and an inode for each of them.
MEMORY_NEEDED = 1000 * MB
WORKER_MB = 150

large = pytest.mark.skipif(
    os.environ.get("FAULTLINE_LARGE") != "1", reason="takes minutes: set FAULTLINE_LARGE=1"
)


@pytest.fixture
def quick_folder(public: Path) -> Iterator[Path]:
    """A folder in memory where there is room for many files, else on disk."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_NEEDED
    path = Path(tempfile.mkdtemp(prefix="faultline-", dir=memory if roomy else public))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_many_small_files(cluster: TestCluster, quick_folder: Path) -> None:
    """Given 100,000 files of about 100 bytes, and workers that stand still. Expect as many enqueued
    as may wait, in seconds; then, when the workers go on, exact counts in few splits."""
    expected: Counter[str] = Counter()
    for number in range(MANY):
        if number % 1000 == 0:
            part = quick_folder / f"{number // 1000:03}"
            part.mkdir()
        text = f"word{number % 977} " * 9 + f"only{number} the end of it"
        (part / f"{number}.txt").write_text(text)
        expected.update(text.split())
    clients = {host: admin(cluster, host) for host in host_names(cluster)}

    def enqueued() -> dict[str, int]:
        """Files: as many share each split as may."""
        key = JobKeys("many").manifest
        highs = {host: int(c.hget(key, f"{host}/high") or 0) for host, c in clients.items()}
        return {host: FILES_PER_SPLIT * high for host, high in highs.items()}

    with stopped(workers(cluster)):
        process = start(
            cluster,
            "--input",
            f"{quick_folder}/*/*.txt",
            "--name",
            "many",
            "--json",
            "--top",
            "all",
        )
        until(lambda: any(enqueued().values()))
        begun = time.monotonic()
        until(lambda: min(enqueued().values()) > BACKLOG_FILES)
        seconds = time.monotonic() - begun
        assert max(enqueued().values()) <= BACKLOG_FILES + ENQUEUE_FILES + FILES_PER_SPLIT
    begun = time.monotonic()
    answer = answer_of(process)
    rate = len(clients) * BACKLOG_FILES / seconds
    print(f"enqueued {rate:,.0f} files/s; then counted in {time.monotonic() - begun:.1f} s")
    assert answer["complete"]
    assert (
        0 <= answer["total"] - MANY // FILES_PER_SPLIT <= len(clients)
    )  # of each host one is not full
    assert same(count_of(answer), expected)


def count_large(cluster: TestCluster, bible: Corpus, folder: Path, files: int, size: int) -> None:
    """Count files of about `size` bytes; expect exact counts and small workers. Prints figures."""
    whole = b"".join(file.read_bytes() for file in bible.files)
    copies = size // len(whole)
    for number in range(files):
        with (folder / f"{number}.txt").open("wb") as out:
            for _ in range(copies):
                out.write(whole)
    programs = {
        f"{host} {name}": pid
        for host in host_names(cluster)
        for name, pid in cluster.programs(host).items()
    }
    for pid in programs.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # forget the peak so far
    begun = time.monotonic()
    given = ("--input", f"{folder}/*.txt", "--name", f"large-{files}-{size // MB}")
    answer = answer_of(start(cluster, *given, "--json", "--top", "all"))
    seconds = time.monotonic() - begun
    peaks = {name: peak(pid) for name, pid in programs.items()}
    total = files * copies * len(whole)
    print(f"{total / MB:.0f} MB in {seconds:.1f} s; peak MB: {peaks}")
    assert answer["complete"]
    count = files * copies
    assert same(count_of(answer), Counter({w: count * n for w, n in bible.counts.items()}))
    assert max(mb for name, mb in peaks.items() if "worker" in name) < WORKER_MB


def peak(pid: int) -> float:
    """The largest resident size, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(round(int(li.split()[1]) * 1024 / MB, 1) for li in lines if li.startswith("VmHWM"))


def test_a_large_file_in_little_memory(cluster: TestCluster, bible: Corpus, folder: Path) -> None:
    count_large(cluster, bible, folder, files=1, size=200 * MB)


@large
@pytest.mark.parametrize(("files", "size"), [(35, 10 * MB), (1, 600 * MB)])
def test_larger(cluster: TestCluster, bible: Corpus, folder: Path, files: int, size: int) -> None:
    """Given a corpus of 300 MB, or one file of 600 MB."""
    needed = 2 * files * size
    free = shutil.disk_usage(folder).free
    if free < needed:
        pytest.skip(f"needs {needed // MB} MB below {folder}, free are {free // MB} MB")
    count_large(cluster, bible, folder, files, size)
