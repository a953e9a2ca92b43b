"""The sum of a job that one driver offers to the others: a hash of pieces, kept for a while."""

from __future__ import annotations

from typing import Any

#: How long a sum is kept if its driver dies, and once it is withdrawn.
KEPT_SECONDS, LAST_SECONDS = 60, 1
#: A sum is written and read in pieces, so that no other client waits long for Redis.
PIECE_BYTES = 4 << 20


def write(client: Any, key: str, state: str, packed: bytes, distinct: int) -> None:
    """See ResultStore.offer_sum. ``state`` is written last: what is not whole is not offered."""
    client.unlink(key)
    whole = memoryview(packed)
    starts = range(0, len(packed), PIECE_BYTES)
    for number, at in enumerate(starts):
        pipe = client.pipeline(transaction=True)
        pipe.hset(key, number, whole[at : at + PIECE_BYTES])
        pipe.expire(key, KEPT_SECONDS)
        pipe.execute()
    client.hset(key, mapping={"state": state, "pieces": len(starts), "distinct": distinct})


def read(client: Any, key: str, state: str) -> tuple[bytes, int] | None:
    """See ResultStore.offered_sum."""
    if (offered := _offered(client, key, state)) is None:
        return None
    pieces, distinct = offered
    found = [client.hget(key, number) for number in range(pieces)]
    # Another sum may have been written over it meanwhile.
    whole = None not in found and _offered(client, key, state) == offered
    return (b"".join(found), distinct) if whole else None


def withdraw(client: Any, key: str) -> None:
    """See ResultStore.withdraw_sum."""
    client.expire(key, LAST_SECONDS)


def _offered(client: Any, key: str, state: str) -> tuple[int, int] | None:
    """How many pieces are offered, and how many distinct words there are."""
    offered, *numbers = client.hmget(key, "state", "pieces", "distinct")
    # An earlier version does not say how many words there are: so this is not taken.
    if offered != state.encode() or None in numbers:
        return None
    pieces, distinct = map(int, numbers)
    return pieces, distinct
