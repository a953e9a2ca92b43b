"""One driver sums a job up and the others take its sum; or make one, where none comes."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster, Node, eventually
from wc.backends.api import Extent
from wc.backends.redis import keys, sum_offer
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.replica_set import ReplicaSet
from wc.backends.redis.result_store import RedisResultStore
from wc.counts import kernel
from wc.driver import sum_leader
from wc.driver.sum_leader import FEW_WORDS, SumLeadership

ORIGINS = ("h1", "h2", "h3")
STATE = "h1:a,h2:b,h3:c"
WORDS = {f"word-{n}": n for n in range(1, 2000)}


def tally(words: dict[str, int]) -> kernel.Tally:
    text = " ".join(" ".join([word] * count) for word, count in words.items())
    found = kernel.new_tally()
    found.add(kernel.count([text.encode()], "whitespace"))
    return found


class Bench:
    """A job as the three hosts' drivers see it."""

    def __init__(self, cluster: Cluster, job: str) -> None:
        self.job = job
        self.cluster = cluster
        self.replicas: dict[str, ReplicaSet] = {name: cluster.replicas(name) for name in ORIGINS}
        self.sums = {
            name: SumLeadership(known, known.by_name[name], job, ORIGINS)
            for name, known in self.replicas.items()
        }

    @property
    def first(self) -> str:
        (name,) = [name for name in ORIGINS if self.sums[name].is_leader()]
        return name

    @property
    def others(self) -> list[str]:
        return [name for name in ORIGINS if name != self.first]


@contextmanager
def bench(cluster: Cluster, job: str) -> Iterator[Bench]:
    made = Bench(cluster, job)
    yield made
    for replicas in made.replicas.values():
        replicas.close()


def test_each_job_has_one_host_that_sums_up_and_not_always_the_same(servers: Cluster) -> None:
    firsts = Counter[str]()
    for number in range(30):
        with bench(servers, f"job-{number}") as made:
            firsts[made.first] += 1
    assert firsts.keys() == set(ORIGINS)


def test_where_the_first_does_not_answer_the_next_sums_up(cluster: Cluster) -> None:
    with bench(cluster, "left") as made:
        first, others = made.first, made.others
        cluster.node(first).kill_redis()
        for name in others:
            made.replicas[name].ask_all(lambda replica: replica.server())  # so they know
        assert [made.sums[name].is_leader() for name in others].count(True) == 1


def test_a_sum_is_taken_as_it_was_offered(
    servers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a sum of many pieces
    monkeypatch.setattr(sum_offer, "PIECE_BYTES", 1000)
    whole = tally(WORDS)
    with bench(servers, "whole") as made:
        # If it is offered
        made.sums[made.first].offer(STATE, whole)
        # Expect it at the others, not for another state, and not for ever
        for name in made.others:
            taken = made.sums[name].take(STATE)
            assert taken is not None
            assert taken.tally.pack() == whole.pack()
            assert taken.distinct == len(WORDS)
            assert made.sums[name].take(STATE + "x") is None
        lives = servers.client(made.first).ttl(JobKeys("whole").sum)
        assert 0 < lives <= sum_offer.KEPT_SECONDS
        # Nor once it is withdrawn
        made.sums[made.first].withdraw()
        eventually(lambda: made.sums[made.others[0]].take(STATE) is None, "the sum is gone")


def test_a_later_sum_takes_the_place_of_a_longer_one(
    servers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sum_offer, "PIECE_BYTES", 1000)
    with bench(servers, "later") as made:
        made.sums[made.first].offer(STATE, tally(WORDS))
        made.sums[made.first].offer("next", tally({"one": 1}))
        taken = made.sums[made.others[0]].take("next")
        assert taken is not None
        assert dict(taken.tally.items()) == {"one": 1}
        assert made.sums[made.others[0]].take(STATE) is None


def test_of_some_words_all_are_told_how_many_there_are(servers: Cluster) -> None:
    with bench(servers, "few") as made:
        # If the first words are offered
        made.sums[made.first].offer(STATE, tally(WORDS), 10)
        # Expect these, and how many there are
        taken = made.sums[made.others[0]].take(STATE)
        assert taken is not None
        assert (taken.tally.top(0), taken.distinct) == (tally(WORDS).top(10), len(WORDS))
        # and that nobody takes what an earlier version offers, which does not say that
        servers.client(made.first).hdel(JobKeys("few").sum, "distinct")
        assert made.sums[made.others[0]].take(STATE) is None


@pytest.mark.parametrize("damage", ["lost", "cut", "other"])
def test_a_damaged_sum_is_not_taken(
    servers: Cluster, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(sum_offer, "PIECE_BYTES", 1000)
    with bench(servers, f"damaged-{damage}") as made:
        made.sums[made.first].offer(STATE, tally(WORDS))
        client, key = servers.client(made.first), JobKeys(made.job).sum
        piece = client.hget(key, "2")
        if damage == "lost":
            client.hdel(key, "2")
        else:
            client.hset(key, "2", piece[:-1] if damage == "cut" else piece[::-1])
        assert made.sums[made.others[0]].take(STATE) is None


def test_only_the_host_that_sums_up_offers(servers: Cluster) -> None:
    with bench(servers, "one") as made:
        for name in made.others:
            made.sums[name].offer(STATE, tally({"one": 1}))
        assert not any(servers.client(name).exists(JobKeys("one").sum) for name in ORIGINS)


def test_a_little_is_summed_up_by_each_for_itself(
    servers: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench(servers, "little") as made:
        name = made.others[0]
        delta = tally(WORDS).pack()
        RedisResultStore(servers.client(name), "little").apply("h1", [(1, delta)])
        assert not made.sums[name].is_follower()
        monkeypatch.setattr(sum_leader, "LEADER_BYTES", len(delta))
        assert made.sums[name].is_follower()
        assert not made.sums[made.first].is_follower()


def test_how_long_a_sum_is_waited_for(servers: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(servers, "waited") as made:
        name = made.others[0]
        client = servers.client(made.first)
        # Not at all, where the first has no such work
        assert made.sums[name].is_late(STATE)
        # For a while, where it has
        client.hset(keys.REGISTRY, "waited", "{}")
        client.sadd(keys.OPEN, "waited")
        assert not made.sums[name].is_late(STATE)
        monkeypatch.setattr(made.sums[name]._patience, "_seconds", 0.0)
        assert made.sums[name].is_late(STATE)
        # And anew for another state
        assert not made.sums[name].is_late("next")
        client.srem(keys.OPEN, "waited")
        client.hdel(keys.REGISTRY, "waited")


# Whole jobs, with enough to sum up.


def write(folder: Path) -> Counter[str]:
    """Files of many words, whose deltas take more than what each driver folds for itself."""
    folder.mkdir()
    expected = Counter[str]()
    for number in range(12):
        words = [f"word-{number % 3}-{n}" for n in range(80_000)] + ["the"] * 10
        (folder / f"{number}.txt").write_text(" ".join(words))
        expected.update(words)
    return expected


def summed(node: Node) -> bool:
    return "summed up by another" in node.log()


@pytest.mark.parametrize("publish", [0, 1000, FEW_WORDS + 1])
def test_a_job_is_summed_up_once(cluster: Cluster, tmp_path: Path, publish: int) -> None:
    # Given hosts that count
    expected = write(tmp_path / "in")
    cluster.start()
    # If a job with many words has ended
    cluster.submit("once", f"{tmp_path}/in/*.txt", publish=publish)
    cluster.wait("once")
    # Expect that two of three took the sum, and that what is published of it is right on all
    assert [summed(node) for node in cluster.nodes].count(True) == 2
    ordered = sorted(expected.items(), key=lambda row: (row[1], row[0]), reverse=True)
    first = Counter(dict(ordered[: publish or None]))
    assert cluster.counts("once") == [first] * 3
    stores = [RedisResultStore(cluster.client(name), "once") for name in ORIGINS]
    assert [s.extent() for s in stores] == [Extent(len(first), len(expected), publish)] * 3
    # And that nothing is left of it
    key = JobKeys("once").sum
    eventually(lambda: not any(cluster.client(n).exists(key) for n in ORIGINS), "the sum is gone")


def test_a_driver_that_stops_before_it_has_summed_up(cluster: Cluster, tmp_path: Path) -> None:
    # Given a job whose splits are all enqueued
    expected = write(tmp_path / "in")
    drivers = {node.name: cluster.spawn(node, "driver") for node in cluster.nodes}
    cluster.submit("stopped", f"{tmp_path}/in/*.txt")

    def enqueued(name: str) -> bool:
        origin = RedisResultStore(cluster.client(name), "stopped").status([name]).origins[name]
        return origin.total is not None and origin.high >= origin.total

    eventually(lambda: all(enqueued(name) for name in ORIGINS), "all splits are enqueued")
    with bench(cluster, "stopped") as made:
        first, others = made.first, made.others
    # If the driver that is to sum up stands still, while its Redis answers
    drivers[first].send_signal(signal.SIGSTOP)
    for node in cluster.nodes:
        cluster.spawn(node, "worker")
    # Expect the others to end without it, and it to end as soon as it goes on
    for name in others:
        node = cluster.node(name)
        eventually(lambda n=node: cluster.outcome(n, "stopped"), f"the job ends on {name}")
        assert not summed(node)
    assert cluster.counts_of("stopped", others) == [expected] * 2
    drivers[first].send_signal(signal.SIGCONT)
    cluster.wait("stopped")
    assert cluster.counts("stopped") == [expected] * 3
