"""Random histories of one job on three replicas: what may happen, step by step.

Hypothesis draws the steps and, when one fails, shrinks the history to the shortest that does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.wc.support.cluster import Cluster
from tests.wc.support.lockstep import Lockstep
from tests.wc.support.twin import NAMES, ORIGINS, counts, dots, join, packed
from wc.backends.api import Claim, Commit, Unavailable
from wc.backends.redis import result_store
from wc.backends.redis.work_queue import RedisWorkQueue
from wc.crdt.model import Dot, apply
from wc.jobs.splits import FileSplit

#: Dots reach into the fourth byte of a bitmap, but histories are about the first ones.
FIRST = st.one_of(st.integers(1, 4), st.integers(1, 20))
LENGTH = st.one_of(st.integers(1, 3), st.integers(1, 10))

one = st.sampled_from(NAMES)
some = st.one_of(st.just(NAMES), st.sets(one, min_size=1).map(sorted).map(tuple))
origins = st.sampled_from(ORIGINS)
runs = st.builds(lambda o, first, n: dots(o, range(first, first + n)), origins, FIRST, LENGTH)
few = st.builds(
    lambda o, seqs: dots(o, sorted(seqs)), origins, st.sets(FIRST, min_size=1, max_size=4)
)
#: At which round trip of a longer operation something else happens.
moments = st.integers(0, 14)


def run(
    servers: Cluster, folder: Path, examples: int, steps: int, *, anew: bool, shrink: bool
) -> None:
    """Run so many histories of at most so many steps: the same each time, or ``anew``. Raises
    what a failed check raised; with ``shrink``, for the shortest history found."""
    run_state_machine_as_test(
        machine(servers, folder),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not anew,
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        ),
    )


def _fail(queue: RedisWorkQueue, claim: Claim, final: bool) -> None:
    limit = 10 if final else claim.deliveries
    queue.fail(claim, {"error": "no"}, final=final, max_deliveries=limit)


def _take_over(queue: RedisWorkQueue, dot: Dot) -> None:
    assert queue.takeover("b", 0, 1, 1, [dot.origin]) == []


def machine(servers: Cluster, folder: Path) -> type[RuleBasedStateMachine]:
    """The machine, on these servers; ``folder`` is for archives."""

    class Histories(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.all = Lockstep(servers, folder)
            self.base: Any = None

        @initialize(
            last=st.sampled_from((17, 9, 3, 25, 0)),
            gone=few,
            where=some,
            hosts=some,
            lost=st.sampled_from((*NAMES, None)),
            void=few,
        )
        def past(
            self, last: int, gone: list[Dot], where: Any, hosts: Any, lost: Any, void: list[Dot]
        ) -> None:
            """The job has been going on: dots are folded here and there, a base is under way, and
            one replica may have lost everything and been told since what is retracted."""
            if last:
                self.all.apply(NAMES, dots("h1", range(1, last + 1)))
            self.all.retract(where, gone, gone)
            self.compact(hosts)
            self.base_is_fetched(sorted(hosts)[0], "h1")
            if lost:
                self.crash(lost, False)
                self.all.retract([lost], void, [])
                self.all.check([lost])

        def teardown(self) -> None:
            try:
                if sys.exc_info()[0] is None:  # after a step that failed nothing need hold
                    self.all.converge()
                    self.all.compact_all()
            finally:
                self.all.close()

        # Workers.

        @rule(names=some, found=runs)
        def apply(self, names: Any, found: list[Dot]) -> None:
            self.all.apply(names, found)
            self.all.check(names)

        @rule(origin=origins, last=st.integers(1, 24), hosts=some)
        def apply_everywhere_and_compact(self, origin: str, last: int, hosts: Any) -> None:
            self.all.apply(NAMES, dots(origin, range(1, last + 1)))
            self.compact(hosts)

        @rule(
            names=some,
            dot=runs.map(lambda found: found[0]),
            worker=st.sampled_from("ab"),
            large=st.sampled_from([0, result_store.LARGE_BYTES]),
        )
        def count_and_commit(self, names: Any, dot: Dot, worker: str, large: int) -> None:
            """From the origin's queue, to the origin's replica and others, and once more; as a
            delta that is large, or not."""
            twin = self.all.twins[dot.origin]
            known = twin.model.counts
            queue = RedisWorkQueue(twin.redis, self.all.job, dot.origin)
            split = FileSplit("/x", 0, 1, 1, 0, "none")
            queue.enqueue(dot.origin, [])  # for its consumer group
            added = queue.requeue(dot.origin, [(dot.seq, split)])
            assert added == (dot not in known.positive and dot not in known.negative)
            claims = queue.claim(worker, 1, [dot.origin])
            assert [claim.seq for claim in claims] == [dot.seq] * added
            for name in sorted({*names, dot.origin}):
                each, settle = self.all.twins[name], name == dot.origin and bool(claims)
                commit = Commit(dot.seq, claims[0].entry if settle else "", packed(dot))
                fresh = dot not in each.model.counts.positive
                for new in (fresh, False):
                    with patch.object(result_store, "LARGE_BYTES", large):
                        found = each.store.commit(dot.origin, [commit], settle=settle)
                    assert found == [new]
                each.model = each.model.join(apply(dot, counts(dot)))
            assert queue.backlog(dot.origin) == 0
            self.all.check({*names, dot.origin})

        @rule(names=some, dot=runs.map(lambda found: found[0]), final=st.booleans())
        def fail(self, names: Any, dot: Dot, final: bool) -> None:
            """For good, after its lease or a speculative copy of it was committed elsewhere, and
            perhaps here."""
            self.all.give_up(names, dot, lambda queue, claim: _fail(queue, claim, final))

        @rule(names=some, dot=runs.map(lambda found: found[0]))
        def take_over_once_too_often(self, names: Any, dot: Dot) -> None:
            self.all.give_up(names, dot, lambda queue, _: _take_over(queue, dot))

        # Drivers.

        @rule(names=some, found=few)
        def retract(self, names: Any, found: list[Dot]) -> None:
            """Without telling counts, which is enough above a base."""
            self.all.retract(names, found, [])
            self.all.check(names)

        @rule(names=some, host=one, found=few)
        def retract_with_counts(self, names: Any, host: str, found: list[Dot]) -> None:
            self.all.retract(names, found, self.all.found(host, found))
            self.all.check(names)

        @rule(names=some, found=few, late=st.booleans())
        def bury(self, names: Any, found: list[Dot], late: bool) -> None:
            self.all.bury(names, found, late=late)
            self.all.check(names)

        @rule(names=some, origin=origins)
        def revive(self, names: Any, origin: str) -> None:
            self.all.revive(names, origin)
            self.all.check(names)

        @rule(names=some, origin=origins, revision=st.integers(1, 5))
        def seal(self, names: Any, origin: str, revision: int) -> None:
            self.all.seal(names, origin, revision)
            self.all.check(names)

        @rule(host=one, givers=some, takers=some)
        def repair(self, host: str, givers: Any, takers: Any) -> None:
            self.all.repair(host, givers, takers)

        @rule(host=one)
        def repair_all(self, host: str) -> None:
            self.all.repair(host)

        @rule(hosts=some)
        def compact(self, hosts: Any) -> None:
            for host in sorted(hosts):
                self.all.compact(host)
                self.all.check([host])

        @rule(name=one, origin=origins)
        def trim(self, name: str, origin: str) -> None:
            """Told to forget all deltas, a replica forgets those that its base covers."""
            store = self.all.twins[name].store
            names = store.keys.results(origin)
            store._redis.fcall("wc_trim", len(names), *names, origin, *range(1, 40))
            self.all.check([name])

        @rule(giver=one, origin=origins)
        def base_is_fetched(self, giver: str, origin: str) -> None:
            held, base = self.all.twins[giver].store.base(origin)
            if base is not None:
                self.base = origin, held, base

        @rule(takers=some)
        def base_arrives(self, takers: Any) -> None:
            """Whenever it does, and perhaps not for the first time."""
            if self.base:
                self.all.rebase(takers, *self.base)
                self.all.check(takers)

        @rule(hosts=some, origin=origins, more=st.integers(1, 4))
        def base_is_overtaken(self, hosts: Any, origin: str, more: int) -> None:
            """A base arrives where a longer one has been put in place meanwhile."""
            first = sorted(hosts)[0]
            self.base_is_fetched(first, origin)
            last = self.all.twins[first].model.through[origin] + more
            self.apply_everywhere_and_compact(origin, last, hosts)
            self.base_arrives(hosts)

        # Readers.

        @rule(name=one)
        def watch(self, name: str) -> None:
            self.all.twins[name].watch()

        # Servers.

        @rule(name=one)
        def checkpoint(self, name: str) -> None:
            self.all.twins[name].checkpoint()

        @rule(name=one, checkpoint=st.booleans())
        def crash(self, name: str, checkpoint: bool) -> None:
            twin = self.all.twins[name]
            if checkpoint:
                twin.crash()
            else:
                twin.lose()
            twin.check()

        # Two at once: at one moment of the first, all of the second.

        @rule(host=one, givers=some, takers=some, at=moments)
        def repair_that_dies(self, host: str, givers: Any, takers: Any, at: int) -> None:
            offered = join(m.counts for m in self.all.models())
            driver = self.all.driver(host)
            with driver.steps.interrupted(at, driver.steps.die):
                self.all.try_repair(host, givers, takers)
            self.all.absorb(offered)

        @rule(host=one, at=moments)
        def compact_that_dies(self, host: str, at: int) -> None:
            driver = self.all.driver(host)
            with driver.steps.interrupted(at, driver.steps.die), suppress(Unavailable):
                self.all.try_compact(host)
            self.all.absorb(join([]))

        @rule(host=one, at=moments, event=st.data(), what=st.sampled_from(("repair", "compact")))
        def driver_meanwhile(self, host: str, at: int, event: Any, what: str) -> None:
            act = self.all.try_repair if what == "repair" else self.all.try_compact
            driver = self.all.driver(host)
            self._meanwhile(driver.steps, at, event, lambda: act(host))

        @rule(name=one, at=st.integers(0, 8), event=st.data(), anew=st.booleans())
        def watch_meanwhile(self, name: str, at: int, event: Any, anew: bool) -> None:
            twin = self.all.twins[name]
            if anew:
                twin.follow()
            before = twin.model.counts
            self._meanwhile(twin.steps, at, event, lambda: twin.view.refresh(twin.store))
            # What it saw may be from before or from after.
            twin.seen = join([twin.seen, before, twin.model.counts])
            twin.watch()

        def _fold(self, host: str) -> None:
            """Compaction that dies before it forgets deltas."""
            steps = self.all.driver(host).steps
            with steps.interrupted(0, steps.die, "wc_trim"), suppress(Unavailable):
                self.all.try_compact(host)
            self.all.absorb(join([]))

        def _meanwhile(self, steps: Any, at: int, event: Any, act: Callable[[], object]) -> None:
            offered = join(m.counts for m in self.all.models())

            def happen() -> None:
                nonlocal offered
                self.all.absorb(offered)
                name = event.draw(st.sampled_from(("fold", "compact", "crash", "apply", "retract")))
                where = event.draw(one)
                if name == "fold":
                    self._fold(where)
                elif name == "compact":
                    self.all.compact(where)
                elif name == "crash":
                    self.all.twins[where].crash()
                elif name == "apply":
                    self.all.apply(event.draw(some), event.draw(runs))
                else:
                    found = event.draw(few)
                    self.all.retract(event.draw(some), found, self.all.found(where, found))
                offered = join([offered, *(m.counts for m in self.all.models())])

            with steps.interrupted(at, happen):
                act()
            self.all.absorb(offered)

    return Histories
