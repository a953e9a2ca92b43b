"""Jobs whose small files share splits, against a serial count: faults, bad files and revisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.driver.test_revisions import ORIGINS, committed, count, files, revise, row, settled
from tests.wc.support.cluster import Cluster, eventually
from tests.wc.worker.test_crashes import arm
from wc.backends.redis.result_store import RedisResultStore


def test_a_worker_that_dies_within_a_shared_split(cluster: Cluster, tmp_path: Path) -> None:
    # Given files of which four share a split, and a worker that dies in one
    expected = write_files(tmp_path / "in", 24, 300)
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    arm(cluster.nodes[0], "while-counting")
    victim = cluster.spawn(cluster.nodes[0], "worker")
    cluster.submit("shared", f"{tmp_path}/in/*.txt", share=4)
    eventually(lambda: victim.poll() is not None, "the worker dies")
    # If another one comes
    cluster.spawn(cluster.nodes[1], "worker")
    outcomes = cluster.wait("shared")
    # Expect its split to be counted again, and each file once
    assert [outcome["splits"] for outcome in outcomes] == [2, 2, 2]
    assert sum(outcome["stats"]["takeovers"] for outcome in outcomes) >= 1
    assert cluster.counts("shared") == [expected] * 3


def test_bad_files_are_named_and_a_revision_mends_the_job(cluster: Cluster, tmp_path: Path) -> None:
    # Given files of which four share a split; one changes before it is counted, one is no text
    folder = tmp_path / "in"
    write_files(folder, 24, 10)
    bad = folder / "00001.txt"  # h2's first
    bad.write_bytes(b"good \xff bad")
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("mended", f"{folder}/*.txt", share=4)
    changed = folder / "00003.txt"  # h1's second
    changed.write_text("changed words")
    for node in cluster.nodes:
        cluster.spawn(node, "worker")
    outcomes = cluster.wait("mended")
    # Expect their two splits to be given up, each with its reason, and who waits with them
    dead = {dot: error for outcome in outcomes for dot, error in outcome["dead"].items()}
    assert {dot: error["path"] for dot, error in dead.items()} == {
        "h1/1": str(changed),
        "h2/1": str(bad),
    }
    assert f"{changed} changed after the job was planned" in dead["h1/1"]["error"]
    assert f"{bad}: not UTF-8 at byte 5" in dead["h2/1"]["error"]
    assert all("3 more files share its split" in error["error"] for error in dead.values())
    # If the changed file is counted as it is, the bad one retracted, one deleted, three are new
    bad.unlink()
    deleted = folder / "00002.txt"  # h3's first
    deleted.unlink()
    new = [folder / f"new{number}.txt" for number in range(3)]
    for path in new:
        path.write_text(f"new words in {path.name}")
    changes = {
        "h1": {"retracted": [str(changed)], "files": [row(changed)], "share": 4},
        "h2": {"retracted": [str(bad)]},
        "h3": {"retracted": [str(deleted)], "files": [row(path) for path in new], "share": 4},
    }
    answers = revise(cluster, "mended", 1, changes)
    eventually(settled(cluster, "mended", 1), "the revision is published", 60)
    # Expect what is there now to be counted, and an answer that says how many splits that took
    numbers = {name: (a["counted"], a["retracted_splits"]) for name, a in answers.items()}
    assert numbers == {"h1": (2, 1), "h2": (1, 1), "h3": (2, 1)}
    assert all(cluster.outcome(node, "mended")["complete"] for node in cluster.nodes)
    assert cluster.counts("mended") == [count(folder)] * 3
    counted = sorted(path for name in ORIGINS for path in files(cluster, name, "mended"))
    assert counted == sorted(map(str, folder.iterdir()))


def test_taking_back_one_of_many_that_were_folded(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given shared splits, folded into bases long ago
    cluster = make_cluster(compact_after_seconds=0.0)
    folder = tmp_path / "in"
    write_files(folder, 24, 10)
    cluster.start()
    cluster.submit("old", f"{folder}/*.txt", share=4)
    cluster.wait("old")
    stores = [RedisResultStore(cluster.client(n.name), "old") for n in cluster.nodes]

    def folded() -> bool:
        found = [o for s in stores for o in s.status(ORIGINS).origins.values()]
        return all(o.through == o.total for o in found)

    eventually(folded, "every replica has folded every split")
    before = committed(cluster, "old")
    # If one file of a split is gone, and retracted
    first, second, third = (folder / f"{n:05}.txt" for n in (0, 3, 6))  # all in h1's first split
    first.unlink()
    revise(cluster, "old", 1, {"h1": {"retracted": [str(first)]}})
    eventually(settled(cluster, "old", 1), "it is retracted", 60)
    # Expect the others that shared its split to be counted again, and nothing else
    assert cluster.counts("old") == [count(folder)] * 3
    assert committed(cluster, "old") - before == 1
    # If two of these are gone, but only one is to be retracted, expect that to be refused
    second.unlink()
    third.unlink()
    with pytest.raises(AssertionError, match=f"{third} shares a split with a file to be retracted"):
        revise(cluster, "old", 2, {"h1": {"retracted": [str(second)]}})
    # If both are, expect what is left
    revise(cluster, "old", 2, {"h1": {"retracted": [str(second), str(third)]}})
    eventually(settled(cluster, "old", 2), "both are retracted", 60)
    assert cluster.counts("old") == [count(folder)] * 3
