"""`fab verify` finds what somebody changed by hand, and says when it cannot tell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.end_to_end.support import admin
from tests.netns import TestCluster, poll
from wc.backends.redis.keys import JobKeys
from wc.counts import delta

pytestmark = pytest.mark.cluster
KEYS = JobKeys("proof")
HOST = "h2"
TEXTS = ["the cat sat", "the dog ran", "the end"]


@pytest.fixture(scope="module")
def proof(cluster: TestCluster, public: Path) -> Path:
    """A counted job: one file an origin. Gives the inputs' folder."""
    folder = public / "proof"
    folder.mkdir(mode=0o755)
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text)
    cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", "proof", "--no-wait")
    cluster.fab("start-job", "--name", "proof")
    return folder


def raise_published(client: redis.Redis) -> Callable[[], Any]:
    client.zincrby(KEYS.counts, 2, "the")
    return lambda: client.zincrby(KEYS.counts, -2, "the")


def drop_published(client: redis.Redis) -> Callable[[], Any]:
    client.zrem(KEYS.counts, "cat")
    return lambda: client.zadd(KEYS.counts, {"cat": 1})


def invent_published(client: redis.Redis) -> Callable[[], Any]:
    client.zadd(KEYS.counts, {"unicorn": 7})
    return lambda: client.zrem(KEYS.counts, "unicorn")


def claim_more(client: redis.Redis) -> Callable[[], Any]:
    client.hincrby(KEYS.extent, "distinct", 1)
    return lambda: client.hincrby(KEYS.extent, "distinct", -1)


def overwrite_delta(client: redis.Redis) -> Callable[[], Any]:
    """Another count under a dot that is applied: whole and well-formed, but not what was there."""
    key, field = delta_holding(client, b"dog")
    before = client.hget(key, field)
    counts = dict(delta.unpack(before))
    client.hset(key, field, delta.pack(counts | {"dog": counts["dog"] + 4}))
    return lambda: client.hset(key, field, before)


def delta_holding(client: redis.Redis, word: bytes) -> tuple[str, bytes]:
    for origin in ("h1", "h2", "h3"):
        for field, packed in client.hgetall(KEYS.deltas(origin)).items():
            if word in packed:
                return KEYS.deltas(origin), field
    raise AssertionError(f"{word!r} is in no delta")


TAMPERINGS = [
    (raise_published, "published", "the", 3, 5),
    (drop_published, "published", "cat", 1, 0),
    (invent_published, "published", "unicorn", 0, 7),
    (claim_more, "extent", "distinct", 6, 7),
    (overwrite_delta, "merged", "dog", 1, 5),
]


@pytest.mark.parametrize(("tamper", "form", "word", "expected", "found"), TAMPERINGS)
def test_a_change_by_hand_is_found(
    cluster: TestCluster,
    proof: Path,
    tamper: Callable[[redis.Redis], Callable[[], Any]],
    form: str,
    word: str,
    expected: int,
    found: int,
) -> None:
    """Expect invalid, and named: the replica, the form, the word, what should be and what is."""
    undo = tamper(admin(cluster, HOST))
    try:
        answer = cluster.json("verify", "--job", "proof", code=1)
    finally:
        undo()
    assert answer["verdict"] == "invalid"
    assert answer["differences"] == [[HOST, form, word, expected, found]]
    different = {name: replica["different"] for name, replica in answer["replicas"].items()}
    assert different == {"h1": 0, HOST: 1, "h3": 0}


def test_the_same_in_words(cluster: TestCluster, proof: Path) -> None:
    undo = raise_published(admin(cluster, HOST))
    try:
        shown = cluster.fab("verify", "--job", "proof", code=1).stdout
    finally:
        undo()
    assert "invalid: proof: h1 differs in 0, h2 differs in 1, h3 differs in 0" in shown
    assert "h2 (published): 'the': expected 3, found 5" in shown
    assert "valid: proof: 6 distinct words (8 in all)" in cluster.fab("verify").stdout


def test_a_delta_that_cannot_be_read_is_not_valid(cluster: TestCluster, proof: Path) -> None:
    client = admin(cluster, HOST)
    key, field = delta_holding(client, b"dog")
    before = client.hget(key, field)
    client.hset(key, field, before[:-1])
    try:
        answer = cluster.json("verify", "--job", "proof", code=2)
    finally:
        client.hset(key, field, before)
    assert answer["verdict"] == "unknown"
    assert answer["reason"].startswith(f"{HOST}: ")


@pytest.mark.parametrize("change", ["changed", "missing", "touched"])
def test_inputs_that_are_not_what_was_counted(
    cluster: TestCluster, proof: Path, change: str
) -> None:
    """Given a file that changed since, or is gone, or only has another time.
    Expect unknown, not invalid: the counts may well be right."""
    path = proof / "1.txt"
    status = path.stat()
    if change == "changed":
        path.write_text(TEXTS[1] + " on")
    elif change == "missing":
        path.unlink()
    else:
        path.touch()
    try:
        answer = cluster.json("verify", "--job", "proof", code=2)
    finally:
        path.write_text(TEXTS[1])
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert answer["verdict"] == "unknown"
    assert str(path) in answer["reason"]
    assert ("No such file" if change == "missing" else "--update --name") in answer["reason"]


def test_a_replica_that_does_not_answer(cluster: TestCluster, proof: Path) -> None:
    """Given h3's Redis stopped. Expect unknown, and status with exit 1 and the rest still told."""
    folder = cluster.folder("h3")
    control = f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf"
    cluster.connector("h3").run(f"{control} stop redis")
    try:
        answer = cluster.json("verify", "--job", "proof", code=2)
        status = cluster.json("status", "--job", "proof", code=1)
    finally:
        cluster.connector("h3").run(f"{control} start redis")
        poll(lambda: cluster.all_run("h3"))
    assert answer["verdict"] == "unknown"
    assert "h3" in answer["reason"]
    assert status["converged"] is False
    assert status["replicas"]["h3"]["reachable"] is False
    assert status["replicas"]["h3"]["error"]
    assert status["job"]["complete"] is True
    states = {p["name"]: p["state"] for p in status["hosts"]["h3"]["processes"]}
    assert states["redis"] == "STOPPED"
    poll(lambda: cluster.json("status")["converged"])
    assert cluster.json("verify", "--job", "proof")["verdict"] == "valid"
