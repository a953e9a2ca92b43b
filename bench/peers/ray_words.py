"""Ray: a task a file that returns a Counter, and a tree of tasks that add them up."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections import Counter

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Else it writes a token of its own into the user's home, and leaves it there.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

import ray
from answer import Answer, answer_of, main

#: Counters that one task adds up.
FAN_IN = 8


@ray.remote
def one(path: str) -> Counter[str]:
    with open(path, "rb") as file:
        return Counter(file.read().decode().split())


@ray.remote
def add(*parts: Counter[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    return counts


def count(paths: list[str], workers: int) -> Answer:
    with tempfile.TemporaryDirectory(prefix="faultline-ray-") as folder:
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        try:
            parts = [one.remote(path) for path in paths]
            while len(parts) > 1:
                parts = [
                    add.remote(*parts[at : at + FAN_IN]) for at in range(0, len(parts), FAN_IN)
                ]
            return answer_of(ray.get(parts[0]))
        finally:
            ray.shutdown()


if __name__ == "__main__":
    main(count)
