"""Publishing: the sorted set that people read with ZREVRANGE.

It is filled under a temporary name and renamed, so that readers see the old or the new,
never half; and in slices, so that no other client waits long for Redis meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import redis

from wc.backends.redis.client import GuardedRedis
from wc.backends.redis.keys import JobKeys
from wc.counts.kernel import Tally

#: Members per ZADD: 1 to 2.5 ms of Redis' time, so below 5 also where others keep it waiting.
SLICE = 1000
#: When a large set is full, Redis doubles its table, and so many members then meet memory that was
#: never touched: 5 to 8 ms a slice. Those go in smaller slices.
LARGE, AFTER_DOUBLING, SMALL_SLICE = 1 << 17, 1 << 14, 250
#: Members that are read at once.
READ_ROWS = 10_000


def publish(
    client: GuardedRedis, keys: JobKeys, who: str, tally: Tally, state: str, most: int
) -> int:
    """See ResultStore.publish. All its round trips are in one guard: once begun, it goes on."""
    return client.guarded(lambda bare: _publish(bare, keys, who, tally, state, most))


def _publish(
    client: redis.Redis, keys: JobKeys, who: str, tally: Tally, state: str, most: int
) -> int:
    temporary = keys.publishing(who)
    client.unlink(temporary)
    words = min(most, len(tally)) if most else len(tally)
    _send(client, tally.zadds(temporary, slices(words), words))
    pipe: Any = client.pipeline(transaction=True)
    if words:
        pipe.rename(temporary, keys.counts)
    else:
        pipe.unlink(keys.counts)
    pipe.set(keys.published, state)
    pipe.execute()
    return words


def read(client: redis.Redis, keys: JobKeys) -> Iterator[tuple[str, int | float]]:
    """All of the sorted set. Its scores are doubles: exact for whole numbers up to 2^53."""
    reader: Any = client
    start = 0
    while rows := reader.zrange(keys.counts, start, start + READ_ROWS - 1, withscores=True):
        for word, count in rows:
            yield word.decode(), int(count) if count == int(count) else count
        start += len(rows)


def slices(words: int) -> Iterator[int]:
    """How many words go into each ZADD, up to so many in all."""
    done = 0
    while done < words:
        full = max(LARGE, 1 << done.bit_length())  # so many words, and Redis doubles the table
        fresh = LARGE <= done < full // 2 + AFTER_DOUBLING
        size = min(SMALL_SLICE if fresh else SLICE, full - done)
        done += size
        yield size


def _send(client: redis.Redis, commands: Iterable[bytes]) -> None:
    """Send commands as they are, one after the other, each made while Redis does the last.

    Words by the million: that redis-py packs each is what takes longest otherwise.
    """
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    waiting = False
    try:
        for command in commands:
            if waiting:
                connection.read_response()
            connection.send_packed_command([command])
            waiting = True
        if waiting:
            connection.read_response()
    except BaseException:
        connection.disconnect()  # an answer may still come
        raise
    finally:
        pool.release(connection)
