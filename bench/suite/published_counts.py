"""Runs on a host: what a job published on this host's replica, as peers answer.

Given to the host's Python as text, with these arguments: wc.json, the job, how many top words.
Prints one line of JSON: distinct words and the total of the merged counts, and the top
[word, count] pairs of what was published, in ZREVRANGE's order.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wc.backends.redis.replica import own_replica
from wc.core import config
from wc.replication.merged_view import View


def main() -> None:
    path, job, most = sys.argv[1:]
    cfg = config.load(Path(path))
    replica = own_replica(cfg)
    store = replica.job(job)
    spec = next(spec for spec in replica.registry.jobs() if spec.name == job)
    view = View(spec.origins)
    view.refresh(store)
    top = store.published_top(int(most))
    print(json.dumps({"distinct": len(view.tally), "total": view.tally.total, "top": top}))


main()
