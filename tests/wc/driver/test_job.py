"""Whole jobs through real drivers, workers and Redis servers, compared with a serial count."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster, eventually, kill, stop_with_a_split
from wc.backends.redis.keys import JobKeys

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
    # Expect the same counts on all replicas, and nothing left in the queues
    assert all(outcome["complete"] for outcome in outcomes)
    assert cluster.counts("first") == [expected] * 3
    for node in cluster.nodes:
        assert cluster.client(node.name).xlen(JobKeys("first").tasks(node.name)) == 0


NASTY = {
    "crlf.txt": b"one\r\ntwo\rthree\r\n",
    "nul.txt": b"a\x00b \x00 c",
    "separators.txt": (
        "a\u00a0b\u2028c\u0085d\u3000e\x1cf\x1dg\x1eh\x1fi\x0bj\x0ck\u1680l\u2003m"
    ).encode(),
    "long.txt": b"x" * 1_000_000 + b" " + "\u00e9".encode() * 500_000,
    "no-newline.txt": b"end",
    "empty.txt": b"",
    "spaces.txt": b" \n\t ",
    "bom.txt": b"\xef\xbb\xbfstart",
}


def test_awkward_text_is_counted_as_python_splits_it(cluster: Cluster, tmp_path: Path) -> None:
    # Given files of everything that separates words, and of words without end
    expected: Counter[str] = Counter()
    for name, content in NASTY.items():
        (tmp_path / name).write_bytes(content)
        expected.update(content.decode().removeprefix("\ufeff").split())
    (tmp_path / "zipped.txt").write_bytes(gzip.compress("na\u00efve caf\u00e9".encode()))
    expected.update(["naïve", "café"])
    cluster.start()
    # If splits are much smaller than the words
    cluster.submit("nasty", f"{tmp_path}/*.txt", split_bytes=10_007)
    cluster.wait("nasty")
    # Expect what str.split() gives
    assert cluster.counts("nasty") == [expected] * 3


def test_small_files_are_claimed_in_batches(cluster: Cluster, tmp_path: Path) -> None:
    # Given five thousand small files
    expected = write_files(tmp_path / "in", 5000, 12)
    cluster.start()
    # If workers may claim many at once
    cluster.submit("small", f"{tmp_path}/in/*.txt", batch=64)
    cluster.wait("small")
    # Expect every one counted once
    assert cluster.counts("small") == [expected] * 3


def test_a_worker_that_dies_is_replaced_after_its_lease(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job on which only one worker works, in the middle of it
    expected = write_files(tmp_path / "in", 6, 60_000)
    cluster.count_slowly()
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("dies", f"{tmp_path}/in/*.txt", split_bytes=2_000_000)
    victim = cluster.spawn(cluster.nodes[0], "worker")
    stop_with_a_split(cluster, "dies", victim)
    # If it is killed, and another one comes
    kill(victim)
    cluster.spawn(cluster.nodes[1], "worker", "--index", "1")
    outcomes = cluster.wait("dies")
    # Expect an exact result, with a takeover
    assert cluster.counts("dies") == [expected] * 3
    assert sum(outcome["stats"]["takeovers"] for outcome in outcomes) >= 1


def test_a_killed_driver_resumes_its_job(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job without workers, so that it cannot end
    expected = write_files(tmp_path / "in", 9, 500)
    drivers = [cluster.spawn(node, "driver") for node in cluster.nodes]
    cluster.submit("resumed", f"{tmp_path}/in/*.txt", split_bytes=9_000)
    eventually(
        lambda: cluster.client("h1").exists(JobKeys("resumed").tasks("h1")),
        "h1 enqueues its splits",
    )
    # If all drivers are killed and started again
    for driver in drivers:
        kill(driver)
    cluster.start()
    cluster.wait("resumed")
    # Expect nothing counted twice
    assert cluster.counts("resumed") == [expected] * 3


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_redis_that_lost_everything_is_filled_again(
    cluster: Cluster, tmp_path: Path, when: str
) -> None:
    # Given a job, and a Redis that never saved anything
    expected = write_files(tmp_path / "in", 9, 20_000)
    if when != "before":
        cluster.start()
    else:
        for node in cluster.nodes:
            cluster.spawn(node, "driver")
    cluster.submit("lost", f"{tmp_path}/in/*.txt", split_bytes=500_000)
    victim = cluster.node("h2")
    first = []
    if when == "after":
        first = [outcome["first"] for outcome in cluster.wait("lost")]
    else:
        eventually(
            lambda: cluster.client("h2").exists(JobKeys("lost").tasks("h2")),
            "h2 enqueues its splits",
        )
    # If it is killed and starts empty, even without the function library
    victim.kill_redis()
    for dump in victim.folder.glob("*.rdb"):
        dump.unlink()
    victim.start_redis()
    if when == "before":
        for node in cluster.nodes:
            cluster.spawn(node, "worker")
    # Expect everything back on it, and equal everywhere
    eventually(lambda: cluster.client("h2").exists(JobKeys("lost").published), "h2 publishes again")
    outcomes = cluster.wait("lost")
    assert cluster.counts("lost") == [expected] * 3
    # and a job that had ended to have the time of its first end
    if first:
        assert [outcome["first"] for outcome in outcomes] == first
        assert outcomes[1]["ended"] > first[1]["ended"]


def test_a_redis_that_is_away_holds_up_nothing_but_convergence(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job that is running while h3's Redis is down
    expected = write_files(tmp_path / "in", 6, 5000)
    victim = cluster.node("h3")
    cluster.client("h3").save()
    cluster.start()
    victim.kill_redis()
    cluster.submit("away", f"{tmp_path}/in/*.txt", split_bytes=200_000)
    applied = "applied dots of h1 and h2 on h1"

    def counted() -> bool:
        job = cluster.ask(cluster.nodes[0], "state")["job"]
        return job is not None and all(
            o["total"] and o["applied"] == o["total"]
            for name, o in job["origins"].items()
            if name != "h3"
        )

    eventually(counted, applied)
    # If it comes back
    victim.start_redis()
    cluster.wait("away")
    # Expect all three equal
    assert cluster.counts("away") == [expected] * 3


def test_a_split_that_cannot_be_counted_ends_the_job_as_incomplete(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a file that is not UTF-8 in its third split, among good ones
    cluster = make_cluster()
    (tmp_path / "bad.txt").write_bytes(b"good word " * 100 + b"\xff\xfe " + b"more " * 10)
    (tmp_path / "good.txt").write_text("fine words")
    cluster.start()
    # If it is counted strictly
    cluster.submit("strict", f"{tmp_path}/*.txt", split_bytes=400)
    outcomes = cluster.wait("strict")
    # Expect the job to end, naming file and byte
    assert not any(outcome["complete"] for outcome in outcomes)
    (error,) = {e["error"] for outcome in outcomes for e in outcome["dead"].values()}
    assert f"{tmp_path}/bad.txt: not UTF-8 at byte 1000" in error
    assert "--encoding-errors replace" in error
    # If it is counted with replacement, expect what Python's decoder gives
    cluster.submit("replaced", f"{tmp_path}/*.txt", split_bytes=400, errors="replace")
    cluster.wait("replaced")
    texts = [
        (tmp_path / name).read_bytes().decode(errors="replace") for name in ("bad.txt", "good.txt")
    ]
    assert cluster.counts("replaced") == [Counter(" ".join(texts).split())] * 3


def test_an_input_that_changes_fails_its_splits(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job that was submitted while no worker runs
    (tmp_path / "a.txt").write_text("one two three")
    for node in cluster.nodes:
        cluster.spawn(node, "driver")
    cluster.submit("changed", f"{tmp_path}/*.txt")
    # If its input changes before it is counted
    (tmp_path / "a.txt").write_text("one two three four")
    cluster.spawn(cluster.nodes[0], "worker")
    outcomes = cluster.wait("changed")
    # Expect the job to say so
    (error,) = {e["error"] for outcome in outcomes for e in outcome["dead"].values()}
    assert "changed after the job was planned" in error


def test_two_jobs_at_once(cluster: Cluster, tmp_path: Path) -> None:
    # Given two jobs over different files
    first = write_files(tmp_path / "a", 5, 3000)
    second = write_files(tmp_path / "b", 6, 2000)
    cluster.start()
    # If the second starts while the first runs
    cluster.submit("a", f"{tmp_path}/a/*.txt", split_bytes=100_000)
    cluster.submit("b", f"{tmp_path}/b/*.txt", split_bytes=100_000, tokenizer="letters")
    cluster.wait("a")
    cluster.wait("b")
    # Expect each to have its own counts
    assert cluster.counts("a") == [first] * 3
    assert cluster.counts("b")[0]["beginning"] == second["beginning"]
    assert "god" in cluster.counts("b")[0]
