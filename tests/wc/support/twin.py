"""One real replica, and beside it the reference model of what it must hold.

The model is rolled back when the replica is. What a replica says - bitmaps, digests, counts of each
kind, values - is compared with what the model says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from hashlib import sha1
from typing import Any, NamedTuple

from tests.wc.support.cluster import Cluster
from tests.wc.support.steps import SteppedRedis, Steps, client
from wc.backends.redis.result_store import RedisResultStore
from wc.core import bitmap
from wc.counts import delta
from wc.crdt.dot_sets import NO_DIGEST
from wc.crdt.model import Dot, PNCounter
from wc.crdt.status import JobStatus
from wc.replication.merged_view import View

NAMES = ("h1", "h2", "h3")
ORIGINS = ("h1", "h2")


@cache
def counts(dot: Dot) -> Mapping[str, int]:
    """What a dot counts: overlapping words, words of its own, and now and then nothing."""
    if dot.seq % 6 == 0:
        return {}
    return {"the": dot.seq, f"w{dot.seq % 3}": 1, f"{dot.origin}-{dot.seq}": 300}


@cache
def packed(dot: Dot) -> bytes:
    return delta.pack(counts(dot))


def dots(origin: str, seqs: Iterable[int]) -> list[Dot]:
    return [Dot(origin, seq) for seq in seqs]


def seqs_of(found: Iterable[Dot], origin: str) -> list[int]:
    return sorted(dot.seq for dot in found if dot.origin == origin)


class Death(NamedTuple):
    """A split that was given up, and at which attempt."""

    dot: Dot
    attempt: int


@dataclass(frozen=True)
class Memory:
    """All that one replica must know of a job.

    By origin, ``through`` is how far its base goes; ``taken`` are retracted dots that are not in
    it; ``sealed`` is the latest revision that was sealed; ``attempts`` says how often its dead
    splits were put back.
    """

    counts: PNCounter = field(default_factory=PNCounter)
    through: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ORIGINS, 0))
    taken: frozenset[Dot] = frozenset()
    dead: frozenset[Death] = frozenset()
    sealed: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ORIGINS, 0))

    attempts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ORIGINS, 0))

    @property
    def known(self) -> tuple[Any, ...]:
        """What the digest covers: two replicas with the same agree."""
        return frozenset(self.counts.positive), self.counts.negative

    def join(self, more: PNCounter) -> Memory:
        now = self.counts.merge(more)
        return replace(self, counts=now, dead=unsettled(self.dead, now))

    def voids(self, origin: str) -> int:
        return len(seqs_of(self.counts.negative - self.counts.positive.keys(), origin))

    def covers(self, dot: Dot) -> bool:
        return dot.seq <= self.through[dot.origin]


def unsettled(deaths: Iterable[Death], known: PNCounter) -> frozenset[Death]:
    """Those of the deaths whose dots are neither applied nor retracted."""
    return frozenset(
        d for d in deaths if d.dot not in known.positive and d.dot not in known.negative
    )


class Look(NamedTuple):
    """What a replica says at one time: ``bases`` are digests of what its bases cover."""

    memory: Memory
    said: JobStatus
    bases: dict[str, str]


def sealed_as(origin: str, revision: int) -> tuple[int, int]:
    """A revision's total and how many dots it retracts: (splits, dots)."""
    return 10 * revision + len(origin), revision


def join(states: Iterable[PNCounter]) -> PNCounter:
    return reduce(PNCounter.merge, states, PNCounter())


def digest(origin: str, known: PNCounter) -> str:
    """An origin's digest by the protocol's definition, in hex; '' before its first dot."""
    texts = [
        f"{origin}/{s}/".encode() + packed(Dot(origin, s))[4:20]
        for s in seqs_of(known.positive, origin)
    ]
    texts += [f"{origin}/{s}/retracted".encode() for s in seqs_of(known.negative, origin)]
    total = reduce(lambda x, text: x ^ int(sha1(text).hexdigest(), 16), texts, 0)
    return f"{total:040x}" if texts else ""


class Twin:
    """One replica and its model."""

    def __init__(self, cluster: Cluster, name: str, job: str) -> None:
        self.name = name
        self.steps = Steps()
        self.redis: SteppedRedis = client(cluster, name, self.steps)
        self.store = RedisResultStore(self.redis, job)
        self.job = job
        self.model = Memory()
        self.saved: tuple[Memory, dict[bytes, bytes]] = (Memory(), {})
        self.follow()

    def follow(self) -> None:
        """Begin a reader's view that goes along; see ``watch``."""
        self.view, self.seen = View(ORIGINS), PNCounter()

    def keys(self) -> list[bytes]:
        return sorted(self.redis.keys("{" + self.job + "}:*"))

    def checkpoint(self) -> None:
        pipe = self.redis.pipeline(transaction=True)
        keys = self.keys()
        for key in keys:
            pipe.dump(key)
        self.saved = (self.model, dict(zip(keys, pipe.execute(), strict=True)))

    def crash(self) -> None:
        """Killed, and back with its last checkpoint, or with nothing."""
        self.model, dump = self.saved
        pipe = self.redis.pipeline(transaction=True)
        if keys := self.keys():
            pipe.unlink(*keys)
        for key, value in dump.items():
            pipe.restore(key, 0, value)
        pipe.execute()

    def lose(self) -> None:
        """Killed before its first checkpoint."""
        self.saved = (Memory(), {})
        self.crash()

    def value(self) -> dict[str, int]:
        view = View(ORIGINS)
        view.refresh(self.store)
        return dict(view.tally.items())

    def look(self) -> Look:
        """What the replica's own bitmaps and hashes say."""
        state, through, taken, bases = PNCounter(), {}, set(), {}
        for origin in ORIGINS:
            held = self.store.dot_sets(origin)
            p = dots(origin, bitmap.members(held.applied))
            n = dots(origin, bitmap.members(held.retracted))
            state = state.merge(PNCounter({d: counts(d) for d in p}, frozenset(n)))
            through[origin], bases[origin] = held.through, held.base_digest
            taken |= set(dots(origin, bitmap.members(held.excluded)))
        dead = frozenset(
            Death(Dot(*_parsed(text)), error.get("attempt", 0))
            for text, error in self.store.dead().items()
        )
        said = self.store.status(ORIGINS)
        sealed = {origin: said.origins[origin].revision for origin in ORIGINS}
        known = Memory(state, through, frozenset(taken), dead, sealed, said.attempts)
        return Look(known, said, bases)

    def check(self, look: Look | None = None) -> None:
        """The replica says what its model says; ``look`` is what it said just now."""
        model, look = self.model, look or self.look()
        assert look.memory == model, self.name
        for origin in ORIGINS:
            said = look.said.origins[origin]
            inside = [d for d in model.counts.positive if d.origin == origin and model.covers(d)]
            assert (
                said.applied,
                said.retracted,
                said.retracted_unapplied,
                said.dead,
                said.through,
            ) == (
                len(seqs_of(model.counts.positive, origin)),
                len(seqs_of(model.counts.negative, origin)),
                model.voids(origin),
                len(seqs_of([death.dot for death in model.dead], origin)),
                model.through[origin],
            ), f"{self.name}: {origin}"
            if revision := model.sealed[origin]:
                assert (said.total, said.retracted_total) == sealed_as(origin, revision)
            assert said.digest == digest(origin, model.counts), f"{self.name}: {origin}"
            base = PNCounter({dot: counts(dot) for dot in inside})
            assert look.bases[origin] == (digest(origin, base) or NO_DIGEST), self.name
        assert self.value() == model.counts.value(), self.name

    def watch(self) -> None:
        """A view that follows a replica shows its value, unless it has seen what is lost."""
        self.view.refresh(self.store)
        if self.seen <= self.model.counts:
            assert dict(self.view.tally.items()) == self.model.counts.value(), self.name
        self.seen = self.seen.merge(self.model.counts)


def _parsed(dot: str) -> tuple[str, int]:
    origin, _, seq = dot.rpartition("/")
    return origin, int(seq)
