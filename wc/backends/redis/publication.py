"""Publishing: the sorted set that people read with ZREVRANGE, and how much of all it is.

It is filled under a temporary name and renamed, so that readers see the old or the new,
never half; and in slices, so that no other client waits long for Redis meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import redis

from wc.backends.api import Extent
from wc.backends.redis.client import GuardedRedis
from wc.backends.redis.keys import JobKeys
from wc.counts.kernel import Tally

#: Members per ZADD: less than 1 ms of Redis' time, and below 5 also where it has doubled a large
#: table, and the next members meet memory that was never touched.
SLICE = 250
#: Members per round trip.
TRIP = 40 * SLICE
#: All of more words than that come in parts of as many, each in order. Of 2.8 million words in
#: order Redis takes each in 2 us, as it goes to the beginning of the set; so in parts in 2.7, and
#: without order in 7. A list of all words in order would be as large as the set.
PART = 250_000
#: Members that are read at once.
READ_ROWS = 10_000


def publish(
    client: GuardedRedis,
    keys: JobKeys,
    who: str,
    tally: Tally,
    state: str,
    most: int = 0,
    distinct: int | None = None,
) -> Extent:
    """See ResultStore.publish. All its round trips are in one guard: once begun, it goes on."""
    words = min(most, len(tally)) if most else len(tally)
    extent = Extent(words, len(tally) if distinct is None else distinct, most)
    client.guarded(lambda bare: _publish(bare, keys, who, tally, state, extent))
    return extent


def _publish(
    client: redis.Redis, keys: JobKeys, who: str, tally: Tally, state: str, extent: Extent
) -> None:
    temporary = keys.publishing(who)
    client.unlink(temporary)
    _fill(client, temporary, _rows(tally, extent.words))
    pipe: Any = client.pipeline(transaction=True)
    if extent.words:
        pipe.rename(temporary, keys.counts)
    else:
        pipe.unlink(keys.counts)
    pipe.set(keys.published, state)
    pipe.hset(keys.extent, mapping={"state": state, **extent._asdict()})
    pipe.execute()


def counts(
    client: redis.Redis, keys: JobKeys, words: Sequence[str]
) -> tuple[Extent | None, list[int | None]]:
    """See ResultStore.published_counts."""
    pipe: Any = client.pipeline(transaction=True)
    pipe.get(keys.published)
    pipe.hmget(keys.extent, "state", *Extent._fields)
    if words:
        pipe.zmscore(keys.counts, words)
    published, (state, *numbers), *scores = pipe.execute()
    # An earlier version replaces the set and leaves the extent as it was.
    extent = Extent(*map(int, numbers)) if state is not None and state == published else None
    return extent, [None if score is None else int(score) for some in scores for score in some]


def read(client: redis.Redis, keys: JobKeys) -> Iterator[tuple[str, int | float]]:
    """All of the sorted set. Its scores are doubles: exact for whole numbers up to 2^53."""
    reader: Any = client
    start = 0
    while rows := reader.zrange(keys.counts, start, start + READ_ROWS - 1, withscores=True):
        for word, count in rows:
            yield word.decode(), int(count) if count == int(count) else count
        start += len(rows)


def _rows(tally: Tally, words: int) -> Iterable[tuple[str, int]]:
    """So many of the most frequent words, or all: in descending order, or in parts that are."""
    if words <= PART or words < len(tally):
        return tally.top(words)
    return _parts(tally.items())


def _parts(rows: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    rest = iter(rows)
    while part := list(islice(rest, PART)):
        # By count, then by word. Twice by one key each, which Python compares faster than pairs.
        part.sort(key=itemgetter(0), reverse=True)
        part.sort(key=itemgetter(1), reverse=True)
        yield from part


def _fill(client: redis.Redis, key: str, rows: Iterable[tuple[str, int]]) -> None:
    rest = iter(rows)
    while trip := list(islice(rest, TRIP)):
        pipe: Any = client.pipeline(transaction=False)
        for at in range(0, len(trip), SLICE):
            pipe.zadd(key, dict(trip[at : at + SLICE]))
        pipe.execute()
