"""Waking idle workers: none of the wake-ups is missed, and old ones end no waiting."""

from __future__ import annotations

import threading
import time

from tests.wc.support.cluster import Cluster
from wc.backends.redis.job_registry import RedisJobRegistry

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
