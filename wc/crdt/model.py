"""The reference model: a delta-state PN-counter map whose actor is the split. Pure.

P maps each applied dot (origin, seq) to the word counts of that split; N is the set of retracted
dots. A dot's counts never change, so N needs no counts of its own: they are those of the same dot
in P. Both sets only grow, and merge is the union of each, which makes the states a
join-semilattice: merge is commutative, associative and idempotent, and never removes a dot. The
value of a word is the sum over P minus the sum over N's dots in P.

Shapiro, Preguiça, Baquero, Zawirski: A comprehensive study of Convergent and Commutative
Replicated Data Types, INRIA RR-7506, 2011, for the PN-counter; Almeida, Shoker, Baquero:
Delta State Replicated Data Types, 2018, for deltas that are themselves states.

The functions in wc/backends/lua/ are this model on Redis; property and stateful tests compare them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Dot(NamedTuple):
    """A split's identity."""

    origin: str
    seq: int


class Conflict(ValueError):
    """Two states have different counts for one dot: they counted different bytes."""


@dataclass(frozen=True)
class PNCounter:
    """A state, and equally a delta: ``positive`` is P, ``negative`` is N."""

    positive: Mapping[Dot, Mapping[str, int]] = field(default_factory=dict)
    negative: frozenset[Dot] = frozenset()

    def merge(self, other: PNCounter) -> PNCounter:
        """The union of both states (their least upper bound). Raises Conflict."""
        for dot in self.positive.keys() & other.positive.keys():
            if self.positive[dot] != other.positive[dot]:
                raise Conflict(f"{dot.origin}/{dot.seq} has two contents")
        return PNCounter({**self.positive, **other.positive}, self.negative | other.negative)

    def __le__(self, other: PNCounter) -> bool:
        """Whether ``other`` has all dots of this state."""
        return self.positive.keys() <= other.positive.keys() and self.negative <= other.negative

    def value(self) -> dict[str, int]:
        """The words and their counts. None is negative: a dot in N subtracts only what P has."""
        total: Counter[str] = Counter()
        for dot, counts in self.positive.items():
            if dot not in self.negative:
                total.update(counts)
        return dict(total)


def apply(dot: Dot, counts: Mapping[str, int]) -> PNCounter:
    """The delta that applies a split's counts."""
    return PNCounter({dot: dict(counts)})


def retract(dot: Dot) -> PNCounter:
    """The delta that retracts a split, which may come before its counts."""
    return PNCounter({}, frozenset([dot]))
