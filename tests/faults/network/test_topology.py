"""Shapes of partitions, on literals and by property. No network."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.network import topology

THREE = ("h1", "h2", "h3")
FIVE = ("a", "b", "c", "d", "e")


def cuts(text: str) -> topology.Cuts:
    """ "h1>h2 h2>h1" as cuts."""
    return frozenset((a, b) for a, b in (word.split(">") for word in text.split()))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (topology.isolate(THREE, ["h2"]), "h1>h2 h2>h1 h2>h3 h3>h2"),
        (topology.isolate(THREE[:1], ["h1"]), ""),
        (topology.groups(THREE, [["h1"], ["h2", "h3"]]), "h1>h2 h2>h1 h1>h3 h3>h1"),
        (topology.groups(THREE, [["h1", "h2"], ["h2", "h3"]]), "h1>h3 h3>h1"),
        (topology.groups(THREE, [THREE]), ""),
        (topology.ring(THREE), "h1>h2 h2>h3 h3>h1"),
        (topology.ring(FIVE), "a>c a>d b>d b>e c>a c>e d>a d>b e>b e>c"),
    ],
)
def test_shapes(found: topology.Cuts, expected: str) -> None:
    assert found == cuts(expected)


def test_a_ring_of_three_stalls_every_pair() -> None:
    cut = topology.ring(THREE)
    assert not any(topology.connected(cut, a, b) for a, b in topology.pairs(THREE))


def test_a_ring_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 3 hosts"):
        topology.ring(THREE[:2])


names = st.integers(1, 7).map(lambda count: [f"h{n}" for n in range(1, count + 1)])


@given(names, st.data())
def test_groups_are_symmetric_and_whole(hosts: list[str], data: st.DataObject) -> None:
    """Expect both directions cut or neither, and all within a group connected."""
    colours = [data.draw(st.integers(0, 2)) for _ in hosts]
    colour = dict(zip(hosts, colours, strict=True))
    cut = topology.groups(hosts, [[h for h in hosts if colour[h] == c] for c in range(3)])
    assert cut == {(b, a) for a, b in cut}
    for a, b in topology.pairs(hosts):
        assert topology.connected(cut, a, b) == (colour[a] == colour[b])


@given(st.integers(3, 9))
def test_in_a_ring_each_hears_another_majority(count: int) -> None:
    hosts = [f"h{n}" for n in range(count)]
    cut = topology.ring(hosts)
    heard = {frozenset(a for a in hosts if (a, b) not in cut) for b in hosts}
    assert all(len(majority) == count // 2 + 1 for majority in heard)
    assert len(heard) == count


@given(names.filter(lambda hosts: len(hosts) > 1), st.integers(0, 2**32 - 1))
def test_chance_repeats_itself(hosts: list[str], seed: int) -> None:
    found = topology.at_random(hosts, seed)
    assert found == topology.at_random(hosts, seed)
    assert found
    assert found <= set(topology.pairs(hosts))


def test_sixty_three_sets_in_fifteen_classes() -> None:
    """Expect every set in exactly one class, and the classes' sizes to add up."""
    sets = list(topology.every_set(THREE))
    assert len(sets) == len(set(sets)) == 63
    classes = topology.classes(THREE)
    assert len(classes) == 15
    found = {cut: topology.representative(cut, THREE) for cut in sets}
    assert set(found.values()) == set(classes)
    sizes = sorted(list(found.values()).count(one) for one in classes)
    assert sizes == [1, 2, 3, 3, 3, 3, 3, 3, 6, 6, 6, 6, 6, 6, 6]


def test_chance_reaches_every_set() -> None:
    assert {topology.at_random(THREE, seed) for seed in range(2000)} == set(
        topology.every_set(THREE)
    )


def test_the_sets_are_renamings_of_their_classes() -> None:
    """Expect the renamings of 15 sets of cuts to be all 63, and of 103 sets of links all 511."""
    for classes, sets in (
        (topology.classes(THREE), list(topology.every_set(THREE))),
        (topology.link_classes(THREE), list(topology.every_link_set(THREE))),
    ):
        names = [dict(zip(THREE, order, strict=True)) for order in permutations(THREE)]
        renamed = {frozenset((n[a], n[b]) for a, b in one) for n in names for one in classes}
        assert renamed == set(sets)
        assert len(renamed) == len(sets)
    assert len(topology.link_classes(THREE)) == 103
    assert len(list(topology.every_link_set(THREE))) == 511
