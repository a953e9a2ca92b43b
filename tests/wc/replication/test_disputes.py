"""Replicas with the same dots and different counts of them: named, and counted again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually
from wc.backends.redis.result_store import RedisResultStore
from wc.core import config
from wc.counts import delta
from wc.replication.anti_entropy import AntiEntropy
from wc.replication.read_repair import Repair

ORIGINS = ("h1", "h2", "h3")


def store(cluster: Cluster, name: str, job: str) -> RedisResultStore:
    return RedisResultStore(cluster.client(name), job)


def put(cluster: Cluster, job: str, contents: Mapping[str, Mapping[str, int]]) -> None:
    """Give h1's first dot to replicas, with these counts."""
    for name, counts in contents.items():
        store(cluster, name, job).apply("h1", [(1, delta.pack(counts))])


def test_splits_that_replicas_disagree_about_are_counted_again(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job in which a split was counted in three ways, all of them wrong
    expected = write_files(tmp_path / "in", 6, 100)
    put(cluster, "odd", {"h1": {"a": 1}, "h2": {"a": 2}, "h3": {"a": 2, "b": 1}})
    # If it runs; expect the right counts everywhere in the end, and to be told of it
    cluster.start()
    cluster.submit("odd", f"{tmp_path}/in/*.txt")
    cluster.wait("odd")
    assert cluster.counts("odd") == [expected] * 3
    assert "counted again: h1/1\n" in cluster.node("h1").log()

    # Given an ended job, and a replica that has come back with other counts of one of its splits
    assert store(cluster, "h3", "odd").forget("h1", [1]) == 1
    put(cluster, "odd", {"h3": {"other": 7}})
    replicas = cluster.replicas("h2")
    found = Repair(replicas, "odd", ORIGINS).run()
    replicas.close()
    assert (found.missing, found.disputed) == (0, ["h1/1"])
    # If the origin's background repair finds that; expect the same again
    loop = AntiEntropy(config.load(cluster.node("h1").config_path))
    loop.round()
    loop.replicas.close()

    def right() -> bool:
        digests = {store(cluster, name, "odd").status(ORIGINS).digest for name in ORIGINS}
        return len(digests) == 1 and cluster.counts("odd") == [expected] * 3

    eventually(right, "all have the right counts again")


def test_what_was_forgotten_is_as_if_it_had_never_been(servers: Cluster) -> None:
    # Given a replica with two dots, one of them retracted; if one more is applied, and forgotten
    one = store(servers, "h1", "forget")
    deltas = {seq: delta.pack({"w": seq}) for seq in (1, 2, 3)}
    one.apply("h1", [(1, deltas[1]), (2, deltas[2])])
    one.retract("h1", [(2, b"")])
    before = one.status(["h1"])
    one.apply("h1", [(3, deltas[3])])
    assert one.checksums("h1", [1, 3, 4]) == [deltas[1][4:20], deltas[3][4:20], b""]
    assert [one.forget("h1", [3, 4]), one.forget("h1", [3])] == [1, 0]
    # Expect all to be as before, and the reader to be told
    assert one.status(["h1"]).origins == before.origins
    assert one.status(["h1"]).stats == before.stats | {"recounted": 1}
    # If a retracted one is forgotten, and one inside the base; expect it to be void, and to stay
    assert one.forget("h1", [2]) == 1
    assert one.status(["h1"]).origins["h1"].retracted_unapplied == 1
    digest = one.status(["h1"]).origins["h1"].digest
    one.rebase("h1", deltas[1], 1, b"", "0" * 40)
    assert one.forget("h1", [1]) == 0
    assert one.status(["h1"]).origins["h1"].digest == digest
