"""Publishing: the sorted set that people read with ZREVRANGE.

It is filled under a temporary name and renamed, so that readers see the old or the new,
never half; and in slices, so that no other client waits long for Redis meanwhile.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import redis

from wc.counting import TallyKernel
from wc.keys import JobKeys

#: Members per ZADD: about 5 ms of Redis' time.
SLICE = 4000


def publish(client: redis.Redis, job: str, who: str, tally: TallyKernel, state: str) -> None:
    """Make ``counts`` equal to the tally, and note which ``state`` (digest) it was made of."""
    target: Any = client
    keys = JobKeys(job)
    temporary = keys.publishing(who)
    target.unlink(temporary)
    # By count, so that nearly every insert goes to the set's end.
    ordered = sorted(tally.items(), key=itemgetter(1))
    for start in range(0, len(ordered), SLICE):
        target.zadd(temporary, dict(ordered[start : start + SLICE]))
    pipe = target.pipeline(transaction=True)
    if ordered:
        pipe.rename(temporary, keys.counts)
    else:
        pipe.unlink(keys.counts)
    pipe.set(keys.published, state)
    pipe.execute()
