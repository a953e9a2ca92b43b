"""Runs on a host: what a job published on this host's replica, as peers answer.

Given to the host's Python as text, with these arguments: wc.json, the job, how many top words.
Prints one line of JSON: distinct words, the total, and the top [word, count] pairs in ZREVRANGE's
order.
Of a job that published some words only, the first two are those of the merged counts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from wc.backends.redis.replica import own_replica
from wc.core import config
from wc.counts import kernel
from wc.replication.merged_view import View


def main() -> None:
    path, job, most = sys.argv[1:]
    cfg = config.load(Path(path))
    replica = own_replica(cfg)
    store = replica.job(job)
    spec = next(spec for spec in replica.registry.jobs() if spec.name == job)
    if spec.publish:
        view = View(spec.origins)
        view.refresh(store)
        distinct, total = len(view.tally), view.tally.total
    else:
        # Of a sorted set, the host's user may read ranges only.
        distinct = total = 0
        for _, count in store.published():
            distinct += 1
            total += int(count)
    top = store.published_top(int(most))
    answer = {"distinct": distinct, "total": total, "top": top, "kernel": kernel.KERNEL}
    print(json.dumps(answer))


main()
