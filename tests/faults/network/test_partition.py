"""Partitions on a real cluster of three hosts: exactly what they cut, and that nothing stays."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import product
from typing import Any

import pytest

from faults.network import commands, topology
from faults.network.options import Shape
from tests.end_to_end.support import inside
from tests.faults.network.wires import all_rules, heal, missing, one_way, partition, rules
from tests.faults.worker import in_force, records, timers
from tests.netns import CHECKOUT, TestCluster, netns_cluster, poll

pytestmark = pytest.mark.cluster
HOSTS = ("h1", "h2", "h3")
PAIRS = set(topology.pairs(HOSTS))
LATE = 90  # what a loaded machine may add to a deadline, seconds


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    folder = tmp_path_factory.mktemp("partition")
    with netns_cluster(folder, workers={"per_host": 1, "lease_seconds": 2}) as found:
        found.fab("provision")
        yield found


@pytest.fixture
def cluster(shared: TestCluster) -> Iterator[TestCluster]:
    """Expect of every test that it leaves the hosts' rules as it found them."""
    before = all_rules(shared)
    yield shared
    if records(shared):
        heal(shared)
        pytest.fail("a fault was left in force")
    assert all_rules(shared) == before
    poll(lambda: not timers(shared.name), LATE)


SHAPES: list[tuple[dict[str, Any], topology.Cuts]] = [
    ({}, topology.isolate(HOSTS, ["h3"])),
    ({"isolate": "h2"}, topology.isolate(HOSTS, ["h2"])),
    ({"groups": "h1|h2,h3"}, topology.groups(HOSTS, [["h1"], ["h2", "h3"]])),
    ({"one_way": "h1:h2"}, frozenset({("h1", "h2")})),
    ({"ring": True}, topology.ring(HOSTS)),
    ({"at_random": True, "seed": "5"}, topology.at_random(HOSTS, 5)),
]


@pytest.mark.parametrize(
    ("shape", "cuts"), SHAPES, ids=lambda value: "-".join(value) if isinstance(value, dict) else ""
)
def test_a_shape_cuts_what_it_says(
    cluster: TestCluster, shape: dict[str, Any], cuts: topology.Cuts
) -> None:
    """Expect packets to arrive from all but the cut senders, each way for itself, connections
    where both ways are open, and all again after heal."""
    answer = partition(cluster, **shape)
    assert {(a, b) for a, b in answer["cuts"]} == cuts
    assert one_way(cluster) == PAIRS - cuts
    dead = {pair for pair in PAIRS if not topology.connected(cuts, *pair)}
    measured = answer["reachability"]
    assert {(a, b) for a, b in product(HOSTS, HOSTS) if not measured[a][b]} == dead
    healed = heal(cluster)
    assert {one["id"] for one in healed["healed"]} == {answer["id"]}
    assert healed["reachable"]
    assert one_way(cluster) == PAIRS


def test_links_cut_workers_from_a_redis_and_nothing_else(cluster: TestCluster) -> None:
    """Given h1's workers cut off from its own Redis and from h3's. Expect packets of everybody
    else to arrive, connections of others too, and status to draw what workers see."""
    partition(cluster, links="h1:h1,h1:h3")
    assert one_way(cluster) == PAIRS
    assert missing(cluster) == {("h1", "h1"), ("h1", "h3")}
    with inside(cluster.inventory.namespace(cluster.inventory.host("h1"))):
        for address in ("198.18.0.1", "198.18.0.3"):
            socket.create_connection((address, cluster.inventory.redis.port), 2).close()
    # h1's own state is asked for by the workers' user, so it cannot be had.
    status = cluster.json("status", code=1)
    seen = status["reachability"]
    assert [name for name in HOSTS if not seen["h1"][name]] == ["h1", "h3"]
    assert all(seen[name][to] for name in ("h2", "h3") for to in HOSTS)
    heal(cluster)


def test_partitions_add_up(cluster: TestCluster) -> None:
    """Given two that overlap, and a loss. Expect each to end without the others."""
    first = partition(cluster, isolate="h1")["id"]
    second = partition(cluster, one_way="h1:h2,h2:h3")["id"]
    third = partition(cluster, isolate="h3", loss="10")["id"]
    isolated = topology.isolate(HOSTS, ["h1"])
    assert one_way(cluster) <= PAIRS - isolated - {("h2", "h3")}
    assert {fault for _, fault, _ in in_force(cluster)} == {first, second, third}
    answer = heal(cluster, only=first, code=1)
    assert {one["id"] for one in answer["healed"]} == {first}
    assert not answer["reachable"]
    heal(cluster, only=third, code=1)
    assert one_way(cluster) == PAIRS - {("h1", "h2"), ("h2", "h3")}
    assert heal(cluster, only=second)["reachable"]
    assert heal(cluster, only=second)["healed"] == []


def test_loss_loses_some(cluster: TestCluster) -> None:
    """Given 60 % lost between two hosts. Expect about as many of 400 datagrams, and none of
    those that go elsewhere."""
    partition(cluster, one_way="h1:h2", loss="60")
    assert 400 * 0.25 < _received(cluster, "h1", "h2", 400) < 400 * 0.55
    assert _received(cluster, "h1", "h3", 400) == 400
    assert _received(cluster, "h2", "h1", 400) == 400
    heal(cluster)


def _received(cluster: TestCluster, a: str, b: str, count: int) -> int:
    inventory = cluster.inventory
    with inside(inventory.namespace(inventory.host(b))):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((inventory.host(b).address, 0))
    with inside(inventory.namespace(inventory.host(a))):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.settimeout(0.5)
        found = 0
        for _ in range(count // 100):  # as many as a socket's buffer holds
            for _ in range(100):
                sender.sendto(b"x", receiver.getsockname())
            try:
                for _ in range(100):
                    receiver.recv(8)
                    found += 1
            except TimeoutError:
                continue
        return found


def test_rate_slows_one_way(cluster: TestCluster) -> None:
    """Given 1 mbit/s from h1 to h2. Expect 128 KB to take about a second there, next to nothing
    to h3, and a second rate on the same host to be refused whole."""
    partition(cluster, one_way="h1:h2", rate="1mbit")
    assert 0.6 < _seconds_for(cluster, "h1", "h2", 128_000) < 10
    assert _least_seconds_for(cluster, "h1", "h3", 128_000) < 0.5
    answer = partition(cluster, code=1, isolate="h3", rate="2mbit")
    assert "only one --rate or --delay at a time" in answer["errors"][0]["error"]
    assert len(records(cluster)) == 1
    assert len(heal(cluster)["healed"]) == 1


def _seconds_for(cluster: TestCluster, a: str, b: str, size: int) -> float:
    inventory = cluster.inventory
    with inside(inventory.namespace(inventory.host(b))):
        server = socket.create_server((inventory.host(b).address, 0))
    with inside(inventory.namespace(inventory.host(a))):
        client = socket.create_connection(server.getsockname(), 5)
    with server, client, server.accept()[0] as receiver:
        started = time.monotonic()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        client.sendall(bytes(size))
        receiver.settimeout(20)
        left = size
        while left:
            left -= len(receiver.recv(left))
        return time.monotonic() - started


def _least_seconds_for(cluster: TestCluster, a: str, b: str, size: int) -> float:
    """The best of some tries: a busy machine may hold up any one of them."""
    return min(_seconds_for(cluster, a, b, size) for _ in range(5))


def test_delay_works_or_is_refused_whole(cluster: TestCluster) -> None:
    """Expect the delay on a kernel with netem; elsewhere exit 1, the reason, and nothing begun."""
    with redirect_stdout(io.StringIO()) as out:
        code = commands.partition(
            str(cluster.path),
            Shape(one_way="h1:h2", delay="100ms", jitter="1ms"),
            seconds=None,
            dry_run=False,
            as_json=True,
        )
    if code == 0:
        assert _seconds_for(cluster, "h1", "h2", 1) > 0.08
        assert _least_seconds_for(cluster, "h1", "h3", 1) < 0.08
        heal(cluster)
        return
    answer = json.loads(out.getvalue())
    assert "no netem" in answer["errors"][0]["error"]
    assert answer["faults"] == []
    assert not records(cluster)


def test_foreign_rules_stay(cluster: TestCluster) -> None:
    """Given rules of somebody else, one that accepts everything. Expect the cut to cut all the
    same, and the rules to be what they were, in their order."""
    connector = cluster.connector("h2")
    add = "iptables -w -N OTHER && iptables -w -A OTHER -s 10.1.1.1 -j DROP"
    hook = "iptables -w -I INPUT 1 -j OTHER && iptables -w -A INPUT -s 198.18.0.0/24 -j ACCEPT"
    connector.run(f"{add} && {hook} && iptables -w -A OUTPUT -d 10.1.1.1 -j DROP")
    before = rules(cluster, "h2")
    try:
        partition(cluster, isolate="h2")
        assert one_way(cluster) == {("h1", "h3"), ("h3", "h1")}
        assert "FL-" in rules(cluster, "h2")
        heal(cluster)
        assert rules(cluster, "h2") == before
    finally:
        connector.run("iptables -w -F INPUT; iptables -w -F OUTPUT; iptables -w -F OTHER")
        connector.run("iptables -w -X OTHER")


def test_heal_says_what_it_cannot_mend(cluster: TestCluster) -> None:
    """Given a foreign rule that drops. Expect exit 1 and the pair by name."""
    connector = cluster.connector("h1")
    connector.run("iptables -w -A INPUT -s 198.18.0.2 -j DROP")
    try:
        answer = heal(cluster, code=1)
        assert answer["reachable"] is False
        assert answer["reachability"]["h2"]["h1"] is False
        assert answer["reachability"]["h2"]["h3"] is True
        assert any("does not reach h1" in one["error"] for one in answer["errors"])
    finally:
        connector.run("iptables -w -D INPUT -s 198.18.0.2 -j DROP")


def test_it_ends_at_its_deadline_with_the_controller_killed(cluster: TestCluster) -> None:
    """Given two controllers: one killed by chance, one when the first host is cut. Expect both
    partitions over after their deadline, on every host."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = time.monotonic() + random.Random(seed).uniform(0.4, 1.2)
    for moment in (lambda: time.monotonic() > chance, lambda: "FL-" in rules(cluster, "h1")):
        process = subprocess.Popen(
            cluster.command("partition", "--isolate", "h2", "--for", "3"),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None and not moment():
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # Not before what the killed ones began on other hosts has got as far as being written down
    poll(lambda: not timers(cluster.name) and not records(cluster), 3 + LATE)
    assert not any("FL-" in text for text in all_rules(cluster).values())
    assert one_way(cluster) == PAIRS
