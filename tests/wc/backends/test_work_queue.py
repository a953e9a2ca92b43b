"""The queue takes splits of files with any names."""

from __future__ import annotations

import os

from tests.wc.support.cluster import Cluster
from wc.backends.redis.keys import JobKeys
from wc.jobs.splits import FileSplit, SharedFile, SharedSplit

NAMES = [os.fsdecode(b"/in/\xff\xe9.txt"), '/in/", 0, 7]\n\x1b[31m.txt', "/in/é\u2028"]


def test_names_that_are_no_text(servers: Cluster) -> None:
    # Given splits whose files' names are not UTF-8, or look like JSON
    splits = [
        *(FileSplit(name, 5, 7, 12, -1, "none") for name in NAMES),
        SharedSplit(tuple(SharedFile(name, 3, 1) for name in NAMES)),
    ]
    queue = servers.replicas().by_name["h1"].queue("names")
    queue.enqueue("h1", list(enumerate(splits, 1)))
    # If they are claimed, taken over and given up
    claims = queue.claim("h1/worker-0:1", 10, ["h1"])
    assert [claim.split for claim in claims] == splits
    started = servers.client("h1").hvals(JobKeys("names").started("h1"))
    assert [int(text.split()[1]) for text in started] == [7, 7, 7, 9]
    assert queue.takeover("h2/worker-0:1", 0, 10, 1, ["h1"]) == []
    # Expect each to be named
    dead = servers.replicas().by_name["h1"].job("names").dead()
    assert len(dead) == len(splits)
    assert all("/in/" in why["error"] for why in dead.values())


def test_names_as_people_see_them() -> None:
    split = FileSplit(NAMES[0] + "\x1b[31m", 0, 1, 1, 0, "none")
    assert split.describe() == r"/in/\xff\xe9.txt\x1b[31m bytes 0 to 1"
