"""A full queue keeps a driver from enqueueing, and from nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.wc.driver.test_adoption import ORIGINS
from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.result_store import RedisResultStore
from wc.core import config
from wc.driver import outbox
from wc.driver.job_loop import JobRun
from wc.jobs.folder import JobFolder

#: The queue's limit here, and how many splits come in one call.
BACKLOG, CALL = 20, 10


def test_a_driver_adopts_while_its_queue_is_full(
    make_cluster: Callable[..., Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BACKLOG_FILES", BACKLOG)
    monkeypatch.setattr(outbox, "ENQUEUE_SPLITS", CALL)
    cluster = make_cluster(adopt_after_seconds=0.5)
    expected = write_files(tmp_path / "in", 6, 2_000)
    spec = cluster.submit("full", f"{tmp_path}/in/*.txt", split_bytes=500)
    job, client = JobKeys("full"), cluster.client("h1")
    with ExitStack() as stack:
        stops = {node.name: threading.Event() for node in cluster.nodes}
        for node in cluster.nodes:
            replicas = cluster.replicas(node.name)
            stack.callback(replicas.close)
            replicas.watch()
            run = JobRun(
                JobFolder(node.folder / "jobs/full"), replicas, config.load(node.config_path)
            )
            assert run.outbox.manifest.total > BACKLOG + CALL
            thread = threading.Thread(target=run.run, args=(stops[node.name].is_set,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stops[node.name].set)
        # Given drivers whose queues are full, as there is no worker
        store = RedisResultStore(client, "full")
        eventually(lambda: client.xlen(job.tasks("h1")) > BACKLOG, "the queue is full")
        eventually(lambda: store.status(ORIGINS).origins["h3"].copied_revision == 0, "a copy")
        # If another host goes away; expect its splits to be adopted
        stops["h3"].set()
        cluster.node("h3").kill_redis()
        eventually(lambda: client.xlen(job.tasks("h3")) > BACKLOG, "h1 adopts h3")
        # ... no queue to be longer than it may be, and nothing to be sealed that is not queued
        assert client.xlen(job.tasks("h1")) <= BACKLOG + CALL
        assert store.status(ORIGINS).origins["h1"].total is None
        # If workers come; expect all to be enqueued as they make room
        for name in ("h1", "h2"):
            cluster.spawn(cluster.node(name), "worker")
        for name in ("h1", "h2"):
            outcome = eventually(
                lambda n=name: cluster.outcome(cluster.node(n), spec.name), f"{name} ends the job"
            )
            assert outcome["complete"]
    assert cluster.counts_of("full", ["h1", "h2"]) == [expected] * 2
