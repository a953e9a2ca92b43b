"""A host that is destroyed in the middle of a job: the others end it, a new one catches up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import admin, applied, ended, start, stopped, until, workers
from tests.netns import TestCluster, netns_cluster
from wc.backends.redis.keys import JobKeys

pytestmark = pytest.mark.cluster
JOB, GONE = "gone", "h3"
COPIES = 8


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[TestCluster]:
    """A cluster that adopts soon, and whose workers are slow, so that a job has a middle on any
    machine."""
    with netns_cluster(
        tmp_path,
        job={"adopt_after": 2},
        redis={"compact_after": 1},
        workers={"per_host": 1, "lease_seconds": 2},
    ) as cluster:
        cluster.fab("provision")
        cluster.fab("slow-worker", "--all", "--cpu", "5", "--for", "3600")
        yield cluster


def published(client: redis.Redis) -> bool:
    try:
        return bool(client.exists(JobKeys(JOB).published))
    except redis.ConnectionError:
        return False


def folded(client: redis.Redis) -> bool:
    keys = JobKeys(JOB)
    return all(client.exists(keys.base(origin)) for origin in ("h1", "h2", GONE))


def test_destroyed_for_good(impatient: TestCluster, bible: Corpus, folder: Path) -> None:
    cluster = impatient
    for copy in range(COPIES):
        for file in bible.files:
            (folder / f"{copy}-{file.name}").symlink_to(file)
    # Given a job in its middle, followed by a user
    client, slow = admin(cluster, "h1"), workers(cluster)  # to ask for them takes longer than some
    process = start(
        cluster, "--input", f"{folder}/*", "--name", JOB, "--split-size", "16KiB",
        "--json", "--top", "1",
    )  # fmt: skip
    until(lambda: applied(client, JOB, GONE) > 2)
    # If a host is destroyed: Redis, driver, worker, disk
    with stopped(slow):  # in the job's middle, on a machine of any speed
        cluster.fab("destroy", "--limit", GONE, "--yes")
    for host in ("h1", "h2"):  # the rest may go fast
        cluster.fab("restore-worker", "--host", host)
    out, _ = ended(process)
    # Expect the job to end without it, exactly
    answer = json.loads(out)
    assert answer["away"] == [GONE]
    assert answer["complete"]
    assert f"--without {GONE}" in cluster.fab("verify", "--job", JOB, code=2).stdout
    found = cluster.json("verify", "--job", JOB, "--without", GONE)
    assert (found["verdict"], found["without"]) == ("valid", [GONE])
    assert found["tokens"] == COPIES * bible.counts.total()
    # If a new machine takes its place, with nothing on it
    cluster.fab("provision")
    # Expect its peers to have filled it, the job's folder included
    until(lambda: all(published(admin(cluster, host)) for host in ("h1", "h2", GONE)))
    # ... and once all have it, to have folded it, exactly
    until(lambda: all(folded(admin(cluster, host)) for host in ("h1", "h2", GONE)))
    found = cluster.json("verify", "--job", JOB)
    assert found["verdict"] == "valid"
    assert sorted(found["replicas"]) == ["h1", "h2", "h3"]
