"""Whole jobs through real drivers, workers and Redis servers, compared with a serial count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.wc.cluster import Cluster

TEXT = "In the beginning God created the heaven and the earth. And the earth was without form "


def write_files(folder: Path, files: int, repeat: int) -> Counter[str]:
    folder.mkdir()
    for i in range(files):
        (folder / f"{i:05}.txt").write_text(TEXT * repeat + f"file{i}")
    return Counter(" ".join(p.read_text() for p in folder.iterdir()).split())


def test_a_job_counts_exactly_on_every_replica(cluster: Cluster, tmp_path: Path) -> None:
    # Given files that make several splits each
    expected = write_files(tmp_path / "in", 7, 2000)
    cluster.start()
    # If they are counted
    cluster.submit("first", f"{tmp_path}/in/*.txt", split_bytes=50_000)
    outcomes = cluster.wait("first")
    # Expect the same counts on all replicas
    assert all(outcome["complete"] for outcome in outcomes)
    assert cluster.counts("first") == [expected] * 3
