"""Runs on a host: prints which splits its replica has applied, a line for each change.

Given to the host's Python as text, with these arguments: wc.json, the job, then its origins.
A line is JSON: {"at": seconds since the epoch, "origins": {ORIGIN: [total, bitmap in hex]}},
where total is None until that origin's manifest is sealed. The first line is "ready".
It runs until it is killed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from wc.backends.api import Unavailable
from wc.backends.redis.replica import own_replica
from wc.core import config

#: Seconds between two reads: the precision of the figures.
READ_SECONDS = 0.05


def main() -> None:
    path, job, *origins = sys.argv[1:]
    cfg = config.load(Path(path))
    store = own_replica(cfg).job(job)

    def read() -> dict[str, tuple[int | None, str]]:
        totals = store.status(origins).origins
        return {name: (totals[name].total, store.dot_sets(name).applied.hex()) for name in origins}

    print("ready", flush=True)
    last = None
    while True:
        try:
            seen = read()
        except Unavailable:
            seen = last
        if seen != last:
            print(json.dumps({"at": time.time(), "origins": seen}), flush=True)
            last = seen
        time.sleep(READ_SECONDS)


main()
