"""Dealing files to origins: nothing lost, nothing doubled, nobody far above their share."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from control.deal_files import FILES_PER_SPLIT, MANY, SIZE, Row, deal, files_per_split

origin_names = st.integers(1, 7).map(lambda n: [f"h{i}" for i in range(1, n + 1)])
sizes = st.lists(st.integers(0, 1 << 40), max_size=60)


def rows(of: list[int]) -> list[Row]:
    return [[f"/in/{n:03}", size, 1, "none", False] for n, size in enumerate(of)]


@given(sizes, origin_names)
def test_every_file_goes_to_one_origin_in_its_order(of: list[int], origins: list[str]) -> None:
    shares = deal(rows(of), origins)
    assert list(shares) == origins
    assert sorted(row for share in shares.values() for row in share) == rows(of)
    assert all(share == sorted(share) for share in shares.values())


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6), st.integers(1, 3))
def test_no_origin_has_much_more_than_the_best_possible(of: list[int], count: int) -> None:
    """Graham's bound for longest processing time first, against every dealing there is."""
    origins = [f"h{i}" for i in range(count)]
    most = max(sum(row[SIZE] for row in share) for share in deal(rows(of), origins).values())
    best = min(
        max(sum(size for size, to in zip(of, dealt, strict=True) if to == i) for i in range(count))
        for dealt in product(range(count), repeat=len(of))
    )
    assert 3 * count * most <= (4 * count - 1) * best


def test_empty_files_are_spread_too() -> None:
    """Given files without a byte. Expect no origin to get all of them."""
    shares = deal(rows([0] * 9), ["h1", "h2", "h3"])
    assert [len(share) for share in shares.values()] == [3, 3, 3]


def test_the_largest_comes_first() -> None:
    shares = deal(rows([1, 1, 1, 3]), ["h1", "h2"])
    assert {name: [row[SIZE] for row in share] for name, share in shares.items()} == {
        "h1": [3],
        "h2": [1, 1, 1],
    }


def test_only_many_files_share_splits() -> None:
    assert files_per_split(rows([1] * (MANY - 1))) == files_per_split([]) == 1
    assert files_per_split(rows([1] * MANY)) == FILES_PER_SPLIT
