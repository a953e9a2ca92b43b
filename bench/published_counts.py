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

from wc.backends.redis.job_registry import Registry
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.replica_set import Replica
from wc.backends.redis.result_store import JobStore
from wc.core import config
from wc.counts import kernel
from wc.replication.merged_view import View

#: Words that are read at a time.
SLICE = 50_000


def main() -> None:
    path, job, most = sys.argv[1:]
    cfg = config.load(Path(path))
    address = next((r for r in cfg.replicas if r.name == cfg.host), cfg.replicas[0])
    key = JobKeys(job).counts

    def published(client):  # type: ignore[no-untyped-def]
        # Of a sorted set, the host's user may read ranges only.
        distinct = total = 0
        while rows := client.zrange(key, distinct, distinct + SLICE - 1, withscores=True):
            distinct += len(rows)
            total += sum(int(count) for _, count in rows)
        return distinct, total

    def merged(client, spec):  # type: ignore[no-untyped-def]
        view = View(spec.origins)
        view.refresh(JobStore(client, job))
        return len(view.tally), view.tally.total

    def read(client):  # type: ignore[no-untyped-def]
        spec = next(spec for spec in Registry(client).jobs() if spec.name == job)
        distinct, total = merged(client, spec) if spec.publish else published(client)
        top = client.zrevrange(key, 0, int(most) - 1, withscores=True)
        return distinct, total, [(word.decode(), int(count)) for word, count in top]

    distinct, total, top = Replica(address, "driver", cfg.password("driver")).call(read)
    answer = {"distinct": distinct, "total": total, "top": top, "kernel": kernel.KERNEL}
    print(json.dumps(answer))


main()
