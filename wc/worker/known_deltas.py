"""What replicas already know of claimed splits: a copy costs less than a recount.

So before a split is counted, every reachable replica is asked for its dot. After a Redis went back
in time, most of what it hands out again is found this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from wc.backends.api import Claim, Unavailable
from wc.backends.redis.replica_set import ReplicaSet


def known_deltas(
    replicas: ReplicaSet, job: str, claims: Sequence[Claim]
) -> tuple[dict[int, bytes], set[int]]:
    """Of splits from one queue: the deltas that some replica has, by seq; and the seqs that need
    neither counting nor a copy, as they are retracted or inside a replica's base."""
    origin, seqs = claims[0].origin, [claim.seq for claim in claims]
    known: dict[int, bytes] = {}
    applied: set[int] = set()
    retracted: set[int] = set()
    answers = replicas.ask_all(lambda replica: replica.job(job).settled(origin, seqs))
    for name, answer in answers.items():
        dots = list(zip(seqs, answer, strict=True))
        retracted.update(seq for seq, (_, is_retracted) in dots if is_retracted)
        here = [seq for seq, (is_applied, _) in dots if is_applied and seq not in known]
        if here:
            applied.update(here)
            with suppress(Unavailable):
                deltas = replicas.by_name[name].job(job).deltas(origin, here)
                known |= {s: d for s, d in zip(here, deltas, strict=True) if d is not None}
    return known, retracted | (applied - known.keys())
