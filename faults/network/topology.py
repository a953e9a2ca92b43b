"""Partition topologies: which packets are dropped, as sets of directed cuts. Pure.

A cut (a, b) drops what a sends to b, and nothing else; a link that is down is two cuts. Shapes are
functions from host names, in the inventory's order, to cuts. Three hosts have 6 directed pairs, so
63 non-empty sets of cuts, in 15 classes up to renaming hosts.

A link (a, b) is what a's workers need to reach b's Redis; a may be b. Three hosts have 9, so 511
non-empty sets of cut links, in 103 classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, permutations, product
from random import Random

Cut = tuple[str, str]
Cuts = frozenset[Cut]


def pairs(hosts: Iterable[str]) -> list[Cut]:
    """All ordered pairs of different hosts, in a fixed order."""
    return list(permutations(hosts, 2))


def links(hosts: Iterable[str]) -> list[Cut]:
    """All (host of the workers, host of the Redis), in a fixed order."""
    names = list(hosts)
    return list(product(names, names))


def isolate(hosts: Sequence[str], alone: Iterable[str]) -> Cuts:
    """Each of `alone` without a link to any other host."""
    away = set(alone)
    return frozenset((a, b) for a, b in pairs(hosts) if a in away or b in away)


def groups(hosts: Sequence[str], members: Iterable[Iterable[str]]) -> Cuts:
    """Links within groups only. A host that is in two groups is a bridge between them."""
    sets = [set(group) for group in members]
    return frozenset(
        (a, b) for a, b in pairs(hosts) if not any(a in group and b in group for group in sets)
    )


def ring(hosts: Sequence[str]) -> Cuts:
    """Each host hears a majority, itself and its nearest in a ring, and no two hear the same one.

    Of three hosts each hears the next one only, so every link is down in one direction.
    Raises ValueError for fewer than three hosts, where all hear all.
    """
    count = len(hosts)
    if count < 3:
        raise ValueError("a ring needs at least 3 hosts")
    nearest = [0, *(sign * step for step in range(1, count) for sign in (1, -1))]
    offsets = nearest[: count // 2 + 1]
    heard = {
        (hosts[(index + offset) % count], host)
        for index, host in enumerate(hosts)
        for offset in offsets
    }
    return frozenset(pairs(hosts)) - heard


def at_random(hosts: Sequence[str], seed: int) -> Cuts:
    """A random non-empty set of cuts, uniformly chosen. The same seed gives the same set."""
    possible = pairs(hosts)
    chosen = Random(seed).randrange(1, 1 << len(possible))  # noqa: S311 - to be repeated
    return frozenset(cut for bit, cut in enumerate(possible) if chosen >> bit & 1)


def every_set(hosts: Sequence[str]) -> Iterator[Cuts]:
    """All non-empty sets of cuts, small ones first: 63 of three hosts."""
    return _subsets(pairs(hosts))


def every_link_set(hosts: Sequence[str]) -> Iterator[Cuts]:
    """All non-empty sets of links, small ones first: 511 of three hosts."""
    return _subsets(links(hosts))


def classes(hosts: Sequence[str]) -> list[Cuts]:
    """One set of cuts of each class, up to renaming hosts: 15 of three hosts."""
    return [cuts for cuts in every_set(hosts) if cuts == representative(cuts, hosts)]


def link_classes(hosts: Sequence[str]) -> list[Cuts]:
    """One set of links of each class: 103 of three hosts."""
    return [cut for cut in every_link_set(hosts) if cut == representative(cut, hosts)]


def representative(cuts: Cuts, hosts: Sequence[str]) -> Cuts:
    """One set for the whole class: the same for all sets that are equal up to renaming hosts."""
    renamings = (dict(zip(hosts, names, strict=True)) for names in permutations(hosts))
    renamed = (sorted((name[a], name[b]) for a, b in cuts) for name in renamings)
    return frozenset(min(renamed))


def connected(cuts: Cuts, a: str, b: str) -> bool:
    """Whether a connection is possible, which takes packets in both directions."""
    return (a, b) not in cuts and (b, a) not in cuts


def _subsets(possible: Sequence[Cut]) -> Iterator[Cuts]:
    for size in range(1, len(possible) + 1):
        yield from map(frozenset, combinations(possible, size))
