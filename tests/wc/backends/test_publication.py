"""How a sorted set is cut into commands, none of which keeps Redis for long."""

from __future__ import annotations

from itertools import accumulate

import pytest

from wc.backends.redis.publication import AFTER_DOUBLING, LARGE, SLICE, SMALL_SLICE, slices


@pytest.mark.parametrize(
    "words", [0, 1, SLICE, SLICE + 1, LARGE - 1, LARGE, LARGE + 1, 4 * LARGE + AFTER_DOUBLING]
)
def test_all_words_go_into_slices(words: int) -> None:
    sizes = list(slices(words))
    assert all(0 < size <= SLICE for size in sizes)
    assert sum(sizes) >= words
    assert sum(sizes[:-1]) < max(1, words)


def test_slices_are_small_where_redis_has_doubled_a_large_table() -> None:
    sizes = list(slices(5 * LARGE))
    begins = [0, *accumulate(sizes)]
    for doubled in (LARGE, 2 * LARGE, 4 * LARGE):
        assert doubled in begins
        after = sizes[begins.index(doubled) :]
        assert set(after[: AFTER_DOUBLING // SMALL_SLICE]) == {SMALL_SLICE}
    # Elsewhere they are as large as they may be, or end where the table is full
    few = 3 * (AFTER_DOUBLING // SMALL_SLICE + 2)
    assert sum(size != SLICE for size in sizes) <= few
