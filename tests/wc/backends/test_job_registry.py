"""Waking idle workers: none is missed, and old ones end no waiting. Deleting jobs."""

from __future__ import annotations

import threading
import time

import pytest
import redis

from tests.wc.support.cluster import Cluster
from wc.backends.redis.job_registry import RedisJobRegistry
from wc.backends.redis.keys import JobKeys

#: Much longer than anything here takes.
LONG = 60.0


def test_a_wake_up_while_nobody_waited_is_not_missed(servers: Cluster) -> None:
    registry = RedisJobRegistry(servers.client("h1"))
    # Given a worker that has waited before
    registry.wake("job")
    seen = registry.wait(LONG, b"0")
    begun = time.monotonic()
    # If it is woken while it looks for work; expect the next waiting to end at once
    registry.wake("job")
    registry.wake("job")
    last = registry.wait(LONG, seen)
    # and then one that lasts until the next wake-up, or its time
    assert registry.wait(0.05, last) == last != seen
    threading.Timer(0.05, registry.wake, ("job",)).start()
    assert registry.wait(LONG, last) != last
    assert time.monotonic() - begun < LONG


def test_a_redis_without_memory_gets_some_by_deleting_a_job(servers: Cluster) -> None:
    # Given a Redis that a job has filled, so that it refuses writes
    client = servers.client("h1")
    registry, keys = RedisJobRegistry(client), JobKeys("full")
    client.set(keys.base("h1"), b"x" * 10_000_000)
    client.config_set("maxmemory", client.info("memory")["used_memory"] - 1_000_000)
    try:
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            client.set(keys.published, "state")
        # If the job is deleted; expect its memory to be free, and the tombstone to be there
        registry.delete({"full": ["h1"]})
        assert not client.exists(keys.base("h1"))
        assert registry.deleted()["full"] == ["h1"]
        client.set(keys.published, "state")
    finally:
        client.config_set("maxmemory", 0)
    # What somebody writes late is removed as well
    registry.purge({"full": ["h1"]})
    assert not [*client.scan_iter(match="{full}*")]


def test_all_keys_of_a_job_are_known() -> None:
    """Expect the list by which a job is deleted to have every key there is a name for."""
    keys = JobKeys("job")
    names = {key for key in vars(keys).values() if key.startswith("{job}:")}
    for name, method in vars(JobKeys).items():
        if callable(method) and not name.startswith("_") and name not in ("results", "all"):
            names.add(method(keys, "h1"))
    assert set(keys.all(["h1"])) == names
