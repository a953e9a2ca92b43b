"""Processes killed by hand in the middle of a job: supervised again, and the counts exact."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
import redis

from faults.host import processes
from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import (
    admin,
    answer_of,
    applied,
    count_of,
    job_files,
    restarts,
    same,
    start,
    until,
)
from tests.netns import TestCluster
from wc.backends.redis import keys

pytestmark = pytest.mark.cluster
HOST = "h2"
COPIES = 2


def enlarged(bible: Corpus, folder: Path) -> Counter[str]:
    """The Bible more than once, so that there is a middle to be killed in."""
    for copy in range(COPIES):
        for file in bible.files:
            (folder / f"{copy}-{file.name}").hardlink_to(file)
    return Counter({word: COPIES * count for word, count in bible.counts.items()})


@pytest.mark.parametrize("program", ["workers:worker-0", "redis", "driver"])
def test_killed_in_the_middle_of_a_job(
    cluster: TestCluster, bible: Corpus, folder: Path, program: str
) -> None:
    expected = enlarged(bible, folder)
    name = program.rpartition(":")[2]
    job = f"killed-{name}"
    before = restarts(cluster, HOST, name)
    victim = cluster.programs(HOST)[program]
    # Given a job of many splits, some of them counted (by a worker: while it holds one)
    process = start(
        cluster, "--input", f"{folder}/*", "--name", job,
        "--split-size", "64KiB", "--json", "--top", "all",
    )  # fmt: skip
    client = admin(cluster, HOST)
    until(lambda: applied(client, job, HOST))
    if name == "worker-0":
        until(lambda: caught(cluster, job, victim, name))
    # If one process is killed
    os.kill(victim, signal.SIGKILL)
    # Expect the same command to end well, every count to be right on every replica, and the
    # restart to be seen
    answer = answer_of(process)
    assert answer["complete"]
    assert same(count_of(answer), expected)
    until(lambda: cluster.all_run(HOST))
    assert cluster.programs(HOST)[program] != victim
    assert cluster.json("verify", "--job", job)["verdict"] == "valid"
    assert restarts(cluster, HOST, name) == before + 1


def caught(cluster: TestCluster, job: str, worker: int, name: str) -> bool:
    """Whether the worker, now standing still, has a split in its hands, or the job is over."""
    assert processes.send(signal.SIGSTOP, worker, processes.state(worker)[1])
    if holds(cluster, job, f"{HOST}/{name}:{worker}") or job_files(cluster, job, "outcome.json"):
        return True
    os.kill(worker, signal.SIGCONT)
    return False


def holds(cluster: TestCluster, job: str, consumer: str) -> bool:
    for host in cluster.inventory.hosts:
        try:
            name = keys.JobKeys(job).tasks(host.name)
            pending = admin(cluster, host.name).xpending(name, keys.GROUP)
        except redis.ResponseError as error:
            # Origins begin one after another: this one's driver has made no queue yet.
            if "NOGROUP" not in str(error):
                raise
            continue
        if consumer.encode() in [one["name"] for one in pending["consumers"]]:
            return True
    return False
