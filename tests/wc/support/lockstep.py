"""Three real replicas in lockstep with their models.

Every operation here is done to both, and its answer compared. What only a replica had that is
rolled back is lost, rightly. After an operation that was cut short, or raced with another, the
models cannot know how far it came: they learn that from their replicas, which may not say less
than before, nor more than all of them knew together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.wc.support.cluster import Cluster
from tests.wc.support.steps import SteppedReplicas
from tests.wc.support.twin import (
    NAMES,
    ORIGINS,
    Death,
    Memory,
    Twin,
    counts,
    dots,
    join,
    packed,
    sealed_as,
    unsettled,
)
from wc.backends.api import Claim
from wc.backends.redis.replica_set import ReplicaSet
from wc.backends.redis.work_queue import RedisWorkQueue
from wc.core import bitmap
from wc.crdt.dot_sets import DotSets
from wc.crdt.model import Dot, PNCounter, apply, retract
from wc.jobs.splits import FileSplit
from wc.replication.compaction import compact
from wc.replication.delta_archive import Archive
from wc.replication.delta_search import search_deltas
from wc.replication.read_repair import Repair, Report

_jobs = itertools.count(1)


class Lockstep:
    """One job on three replicas."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.job = f"lockstep-{next(_jobs)}"
        self.cluster = cluster
        self.twins = {name: Twin(cluster, name, self.job) for name in NAMES}
        self.drivers: dict[str, ReplicaSet] = {}
        self.archives: dict[str, Archive] = {}
        for name in NAMES:
            (folder / self.job / name).mkdir(parents=True)
            self.archives[name] = Archive(folder / self.job / name)

    def driver(self, host: str) -> SteppedReplicas:
        if host not in self.drivers:
            self.drivers[host] = SteppedReplicas(self.cluster, host)
        return self.drivers[host]

    def close(self) -> None:
        for twin in self.twins.values():
            if keys := twin.keys():
                twin.redis.unlink(*keys)
            twin.redis.close()
        for replicas in self.drivers.values():
            replicas.close()

    def of(self, names: Iterable[str]) -> Iterator[Twin]:
        return (self.twins[name] for name in sorted(names))

    def models(self) -> list[Memory]:
        return [twin.model for twin in self.twins.values()]

    # What workers and drivers do to one replica or several.

    def apply(self, names: Iterable[str], found: list[Dot]) -> None:
        for twin in self.of(names):
            origin = found[0].origin
            fresh = [dot not in twin.model.counts.positive for dot in found]
            pairs = [(dot.seq, packed(dot)) for dot in found]
            assert twin.store.apply(origin, pairs) == fresh
            twin.model = twin.model.join(join(apply(d, counts(d)) for d in found))

    def retract(self, names: Iterable[str], found: list[Dot], told: Iterable[Dot]) -> None:
        """Take dots back, telling the counts of those in ``told``."""
        told, origin = set(told), found[0].origin
        pairs = [(dot.seq, packed(dot) if dot in told else b"") for dot in found]
        for twin in self.of(names):
            model, answers = twin.model, []
            for dot in found:
                if dot in twin.model.counts.negative:
                    answers.append(0)
                elif model.covers(dot) and dot not in told:
                    answers.append(-1)
                else:
                    answers.append(1)
                    twin.model = twin.model.join(retract(dot))
            assert twin.store.retract(origin, pairs) == answers

    def found(self, host: str, wanted: list[Dot]) -> list[Dot]:
        """Those of the dots whose counts a host can find, and they are the right ones."""
        replicas = self.driver(host)
        origin, archive = wanted[0].origin, self.archives[host]
        seqs = [dot.seq for dot in wanted]
        known = search_deltas(replicas.all, self.job, origin, seqs, archive)
        for seq, content in known.items():
            assert content == packed(Dot(origin, seq))
        return dots(origin, known)

    def give_up(
        self, names: Iterable[str], dot: Dot, act: Callable[[RedisWorkQueue, Claim], object]
    ) -> None:
        """A worker claims a split, another's counts arrive on these replicas, and then ``act``
        gives the split up. One that is settled before is not queued: the claim is a copy's."""
        twin = self.twins[dot.origin]
        queue = RedisWorkQueue(twin.redis, self.job, dot.origin)
        split = FileSplit("/x", 0, 1, 1, 0, "none")
        queue.enqueue(dot.origin, [])  # for its consumer group
        queue.requeue(dot.origin, [(dot.seq, split)])
        claims = queue.claim("a", 1, [dot.origin])
        self.apply(names, [dot])
        act(queue, (claims or [Claim(dot.origin, dot.origin, "1-1", dot.seq, split, 0)])[0])
        assert queue.backlog(dot.origin) == 0
        state = twin.model.counts
        if claims and dot not in state.positive and dot not in state.negative:
            self._die(twin, [Death(dot, twin.model.attempts[dot.origin])])
        self.check({*names, dot.origin})

    def _die(self, twin: Twin, deaths: Iterable[Death]) -> None:
        """The model learns of deaths that take the place of what it knew of the same dots."""
        new = unsettled(deaths, twin.model.counts)
        dots_of = {death.dot for death in new}
        old = frozenset(death for death in twin.model.dead if death.dot not in dots_of)
        twin.model = replace(twin.model, dead=old | new)

    def _attempt(self, origin: str) -> int:
        return max(model.attempts[origin] for model in self.models())

    def bury(self, names: Iterable[str], found: list[Dot], *, late: bool) -> None:
        """Tell of deaths of the latest attempt; or ``late``, of those of the first one."""
        origin = found[0].origin
        attempt = 0 if late else self._attempt(origin)
        error = {"attempt": attempt} if attempt else {}
        for twin in self.of(names):
            twin.store.bury(origin, {dot.seq: error | {"error": "no"} for dot in found})
            known = {death.dot: death.attempt for death in twin.model.dead}
            least = twin.model.attempts[origin]
            news = [Death(d, attempt) for d in found if attempt >= max(least, known.get(d, 0))]
            self._die(twin, news)

    def revive(self, names: Iterable[str], origin: str) -> None:
        attempt = self._attempt(origin) + 1
        for twin in self.of(names):
            gone = {d for d in twin.model.dead if d.dot.origin == origin and d.attempt < attempt}
            assert twin.store.revive(origin, attempt) == len(gone)
            attempts = {**twin.model.attempts, origin: attempt}
            twin.model = replace(twin.model, dead=twin.model.dead - gone, attempts=attempts)

    def seal(self, names: Iterable[str], origin: str, revision: int) -> None:
        for twin in self.of(names):
            twin.store.seal(origin, revision, *sealed_as(origin, revision))
            latest = max(revision, twin.model.sealed[origin])
            twin.model = replace(twin.model, sealed={**twin.model.sealed, origin: latest})

    def rebase(self, names: Iterable[str], origin: str, held: DotSets, base: bytes) -> None:
        """A base of some moment, with the counts of all that may be retracted inside it."""
        taken = set(dots(origin, bitmap.members(held.excluded)))
        covered = dots(origin, range(1, held.through + 1))
        for twin in self.of(names):
            model = twin.model
            mine = {dot for dot in model.taken if dot.origin == origin}
            newer = (held.through, taken) != (model.through[origin], mine)
            newer = newer and held.through >= model.through[origin]
            marked = [d for d in covered if d in model.counts.negative and d not in taken]
            known = [(dot.seq, packed(dot)) for dot in marked]
            coordinates = held.through, held.excluded, held.base_digest
            assert twin.store.rebase(origin, base, *coordinates, known) == newer
            if newer:
                told = PNCounter({dot: counts(dot) for dot in covered}, frozenset(taken))
                twin.model = replace(
                    model.join(told),
                    through={**model.through, origin: held.through},
                    taken=model.taken - mine | taken,
                )

    # What a host's driver does with all of them.

    def repair(
        self,
        host: str,
        sources: Iterable[str] = NAMES,
        targets: Iterable[str] = NAMES,
    ) -> Report:
        """Repair, whole; the models learn what it did, and it did no less than it had to."""
        sources, targets = sorted(sources), sorted(targets)
        before = {name: twin.model for name, twin in self.twins.items()}
        report = self.try_repair(host, sources, targets)
        offered = join(before[name].counts for name in sources)
        self.absorb(offered, targets)
        gained = 0
        for twin in self.of(targets):
            now, was = twin.model, before[twin.name]
            gained += _size(now.counts) - _size(was.counts)
            if not any(m.through[o] for m in before.values() for o in ORIGINS):
                assert now.counts == was.counts.merge(offered)
            self._check_spread(now, [before[n] for n in {*sources, *targets}])
        if not any(m.through[o] for m in before.values() for o in ORIGINS):
            assert report.copied == report.missing == gained
        return report

    @staticmethod
    def _check_spread(now: Memory, before: list[Memory]) -> None:
        attempts = {o: max(m.attempts[o] for m in before) for o in ORIGINS}
        assert now.attempts == attempts
        latest: dict[Dot, int] = {}
        for death in itertools.chain.from_iterable(m.dead for m in before):
            latest[death.dot] = max(death.attempt, latest.get(death.dot, 0))
        dead = [Death(dot, n) for dot, n in latest.items() if n >= attempts[dot.origin]]
        assert now.dead == unsettled(dead, now.counts)
        assert now.sealed == {o: max(m.sealed[o] for m in before) for o in ORIGINS}

    def try_repair(
        self, host: str, sources: Iterable[str] = NAMES, targets: Iterable[str] = NAMES
    ) -> Report:
        """Repair, as far as it comes; the models are left as they are."""
        return Repair(
            self.driver(host),
            self.job,
            ORIGINS,
            sources=sorted(sources),
            targets=sorted(targets),
            archive=self.archives[host],
        ).run()

    def absorb(self, offered: PNCounter, among: Iterable[str] = NAMES) -> None:
        """The models learn from their replicas, within what may be."""
        among = set(among)
        dead = frozenset().union(*(m.dead for m in self.models()))
        for twin in self.twins.values():
            look, was = twin.look(), twin.model
            now = look.memory
            most = was.counts.merge(offered) if twin.name in among else was.counts
            assert was.counts <= now.counts <= most, f"{twin.name}: {_bounds(was, now, most)}"
            assert all(now.through[o] >= was.through[o] for o in ORIGINS), twin.name
            assert now.dead <= dead, twin.name
            assert all(now.sealed[o] >= was.sealed[o] for o in ORIGINS), twin.name
            assert all(now.attempts[o] >= was.attempts[o] for o in ORIGINS), twin.name
            twin.model = now
            twin.check(look)

    def compact(self, host: str) -> int:
        """Compact a host's own replica, whole; how many dots it folded."""
        twin = self.twins[host]
        before, folded = twin.model, 0
        for origin in ORIGINS:
            folded += self._fold_model(twin, origin)
        answer = self.try_compact(host)
        assert answer == folded, f"{host}: folded {answer}, {folded} expected, had {before}"
        return folded

    def _fold_model(self, twin: Twin, origin: str) -> int:
        model = twin.model
        states = [m.counts for m in self.models()]
        common = set.intersection(*(set(s.positive) for s in states))
        through = next(n for n in itertools.count() if Dot(origin, n + 1) not in common)
        both = frozenset.intersection(*(s.negative for s in states))
        gone = {d for d in both if d.origin == origin and d.seq <= through}
        mine = {d for d in model.taken if d.origin == origin}
        if through < model.through[origin] or mine - gone:
            return 0
        twin.model = replace(
            model,
            through={**model.through, origin: through},
            taken=model.taken - mine | gone,
        )
        return through - model.through[origin]

    def try_compact(self, host: str) -> int | None:
        replicas = self.driver(host)
        own = replicas.by_name[host]
        return compact(replicas, own, self.job, ORIGINS, self.archives[host])

    # What must hold.

    def check(self, names: Iterable[str] = NAMES) -> None:
        for twin in self.of(names):
            twin.check()

    def converge(self) -> None:
        """Repaired from every host, all replicas hold what any of them held, and nothing is left
        to copy. Digests agree then, and no sooner."""
        self._compare_digests()
        everything = join(m.counts for m in self.models())
        for host in NAMES * 2:  # each host has its own archive
            if any(m.counts != everything for m in self.models()):
                self.repair(host)
        assert [m.counts for m in self.models()] == [everything] * len(NAMES)
        again = self.repair("h1")
        assert (again.missing, again.copied, again.bytes) == (0, 0, 0)
        self._compare_digests()

    def _compare_digests(self) -> None:
        said = {name: twin.store.status(ORIGINS).digest for name, twin in self.twins.items()}
        for a, b in itertools.combinations(NAMES, 2):
            same = self.twins[a].model.known == self.twins[b].model.known
            assert (said[a] == said[b]) == same, f"{a}, {b}: {said}"

    def compact_all(self) -> None:
        """Replicas that are equal keep, once compacted, no delta that the base covers."""
        for host in NAMES:
            self.compact(host)
        for host in NAMES:
            store, through = self.twins[host].store, self.twins[host].model.through
            for origin in ORIGINS:
                kept = [int(seq) for seq in store._redis.hkeys(store.keys.deltas(origin))]
                assert all(seq > through[origin] for seq in kept), f"{host}: {kept}"
                assert not store._redis.hlen(store.keys.negatives(origin)), host
        self.check()


def _size(state: PNCounter) -> int:
    return len(state.positive) + len(state.negative)


def _bounds(was: Memory, now: Memory, most: PNCounter) -> str:
    lost = sorted(was.counts.positive.keys() - now.counts.positive.keys())
    unmarked = sorted(was.counts.negative - now.counts.negative)
    odd = sorted(now.counts.positive.keys() - most.positive.keys())
    marked = sorted(now.counts.negative - most.negative)
    return f"lost {lost}, marks lost {unmarked}, from nowhere {odd}, marks from nowhere {marked}"
