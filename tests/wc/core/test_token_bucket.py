"""The token bucket, on literal times and bytes; and batches that keep to what it allows."""

from __future__ import annotations

import pytest

from wc.core.delta_batches import batches
from wc.core.token_bucket import TokenBucket


class Clock:
    """Seconds, as the test says."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_full_bucket_gives_its_burst_and_no_more(clock: Clock) -> None:
    # Given a bucket of 10 bytes that fills by 5 a second; expect it full at first
    bucket = TokenBucket(5, 10, clock)
    assert bucket.left() == 10
    # If all is taken; expect nothing to be left, and no time to have passed
    bucket.take(10)
    assert bucket.left() == 0


def test_it_fills_at_its_rate_up_to_its_burst(clock: Clock) -> None:
    # Given an empty bucket
    bucket = TokenBucket(5, 10, clock)
    bucket.take(10)
    # If a tenth of a second passes; expect half a byte, which is none
    clock.now += 0.1
    assert bucket.left() == 0
    clock.now += 0.9
    assert bucket.left() == 5
    # If it is left alone for an hour; expect the burst
    clock.now += 3600
    assert bucket.left() == 10


def test_an_overdrawn_bucket_first_pays_its_debt(clock: Clock) -> None:
    # Given a bucket of 10 bytes of which 30 were taken
    bucket = TokenBucket(5, 10, clock)
    bucket.take(30)
    # Expect nothing for the 4 seconds in which 20 bytes come in, and then something
    clock.now += 4
    assert bucket.left() == 0
    clock.now += 1
    assert bucket.left() == 5


def test_a_shut_bucket_gives_nothing_any_more(clock: Clock) -> None:
    bucket = TokenBucket(5, 10, clock)
    bucket.shut()
    clock.now += 3600
    assert bucket.left() == 0


@pytest.mark.parametrize(("rate", "burst"), [(0, 10), (-1, 10), (5, 0)])
def test_a_bucket_that_could_never_give_is_refused(clock: Clock, rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="allowed are a rate above 0"):
        TokenBucket(rate, burst, clock)


def test_batches_keep_to_what_is_allowed(clock: Clock) -> None:
    # Given 100 deltas of 10 bytes, and 35 bytes to move
    bucket = TokenBucket(1, 35, clock)
    asked: list[list[int]] = []

    def fetch(seqs: list[int]) -> list[bytes]:
        asked.append(seqs)
        bucket.take(10 * len(seqs))
        return [b"0123456789"] * len(seqs)

    # Expect one to learn the size, then as many as go in, then one for the rest
    assert sum(len(batch) for batch in batches(range(1, 101), fetch, bucket.left)) == 4
    assert asked == [[1], [2, 3], [4]]
    # Expect more only when the overdrawn 5 bytes have come in again
    clock.now += 5
    assert not list(batches(range(5, 101), fetch, bucket.left))
    clock.now += 1
    assert len(list(batches(range(5, 101), fetch, bucket.left))) == 1
