"""The background repair after a partition, when nobody else is there to repair anything."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from control.cluster import Cluster
from tests.end_to_end.support import (
    BATCH,
    admin,
    applied,
    begin,
    host_names,
    stopped,
    until,
    workers,
)
from tests.faults.network.wires import heal, partition
from tests.netns import TestCluster, netns_cluster

pytestmark = pytest.mark.cluster
JOB, CUT_OFF = "quiet", "h2"
FILES, FILE_BYTES = 6, 2_000_000
#: Splits that must have been counted on either side of the partition. More than workers have in
#: their hands when it begins: what they sent may arrive once it is healed, as TCP sends it again.
MANY = 4 * BATCH


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[TestCluster]:
    """A cluster whose anti-entropy runs every second, and whose workers are slow: a job has a
    middle on any machine."""
    few = {"per_host": 1, "lease_seconds": 2}
    with netns_cluster(tmp_path, repair={"interval_seconds": 1}, workers=few) as cluster:
        cluster.fab("provision")
        cluster.fab("slow-worker", "--all", "--cpu", "4", "--for", "3600")
        yield cluster


def control(cluster: TestCluster, words: str) -> None:
    for host in host_names(cluster):
        folder = cluster.folder(host)
        program = f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf"
        cluster.connector(host).run(f"{program} {words}")


def copied(cluster: TestCluster, hosts: list[str]) -> int:
    """Dots that the background repairs of these hosts have copied."""
    repair = cluster.json("status")["repair"]
    return sum(repair.get(host, {}).get("copied", 0) for host in hosts)


def test_replicas_converge_without_drivers(quick: TestCluster, folder: Path) -> None:
    chance = random.Random(11)
    words = [f"word{n}" for n in range(5000)]
    for number in range(FILES):
        (folder / f"{number}.txt").write_text(" ".join(chance.choices(words, k=FILE_BYTES // 8)))
    clients = {host: admin(quick, host) for host in host_names(quick)}

    def deltas(host: str) -> int:
        return sum(applied(clients[host], JOB, origin) for origin in clients)

    # Given a job that goes on on both sides of a partition
    pids = workers(quick)
    with Cluster(quick.inventory) as hosts:
        begin(hosts, f"{folder}/*.txt", JOB)
    until(lambda: all(deltas(host) for host in clients))
    with stopped(pids):  # so that it is in its middle, on a machine of any speed
        partition(quick, isolate=CUT_OFF, seconds="3600")
    before = {host: deltas(host) for host in clients}
    until(lambda: all(deltas(host) >= before[host] + MANY for host in clients))
    # and of which then nothing is left but Redis and the background repairs
    for pid in pids:  # at once; the supervisors end them for good
        os.kill(pid, signal.SIGSTOP)
    control(quick, "stop driver workers:*")
    assert not quick.json("status")["converged"]
    # If the partition is healed
    assert heal(quick)["reachable"]
    # Expect the replicas to agree soon, on all that was counted anywhere
    until(lambda: quick.json("status")["converged"])
    status = quick.json("status")
    assert {replica["applied"] for replica in status["replicas"].values()} == {
        status["job"]["applied"]
    }
    # Expect each side to have copied what the other had, and both status and log to report it, if
    # a moment later. Who of the two hosts on one side copies a dot, and gives it to the other, is
    # open.
    until(lambda: copied(quick, [CUT_OFF]) and copied(quick, [h for h in clients if h != CUT_OFF]))
    assert f"{CUT_OFF} copied" in quick.fab("status").stdout
    assert "are missing here" in quick.fab("logs", "--host", CUT_OFF, "--process", "repair").stdout
    # If drivers and workers are there again; expect the job to end, and every count to be right
    control(quick, "start driver workers:*")
    quick.fab("restore-worker")
    quick.fab("start-job", "--name", JOB)
    assert quick.json("verify", "--job", JOB)["verdict"] == "valid"
