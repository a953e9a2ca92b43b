"""The laws of the PN-counter: of the pure model, of the functions in Redis, and that they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wc.support.cluster import Cluster
from tests.wc.support.lockstep import Lockstep
from tests.wc.support.twin import NAMES, ORIGINS, counts, dots, packed
from wc.backends.redis.result_store import RedisResultStore
from wc.core import bitmap
from wc.counts import delta
from wc.crdt.model import Conflict, Dot, PNCounter, apply, retract

any_dot = st.builds(Dot, st.sampled_from(ORIGINS), st.integers(1, 20))
states = st.builds(
    lambda p, n: PNCounter({dot: counts(dot) for dot in p}, n),
    st.frozensets(any_dot, max_size=12),
    st.frozensets(any_dot, max_size=4),
)
#: A history: dots that are applied ("P") or retracted ("N"), some of them twice, in any order.
histories = st.lists(st.tuples(st.sampled_from("PPPN"), any_dot), max_size=30)
# The servers are shared; each example has a job of its own.
on_servers = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


# The model.


@given(states, states, states)
def test_merge_is_a_join(a: PNCounter, b: PNCounter, c: PNCounter) -> None:
    # Expect merge to be commutative, associative and idempotent, with the empty state as neutral
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(a) == a == a.merge(PNCounter())
    # and to be the least state above both
    joined = a.merge(b)
    assert a <= joined
    assert b <= joined
    assert (joined <= c) == (a <= c and b <= c)
    assert (a <= b) == (a.merge(b) == b)


@given(histories)
def test_the_value_is_what_was_applied_and_not_retracted(history: list[Any]) -> None:
    # Given a state made of deltas, in any order and repeated
    state = PNCounter()
    for side, dot in history:
        before = state
        state = state.merge(apply(dot, counts(dot)) if side == "P" else retract(dot))
        assert before <= state
    # Expect each dot to count once, if it was applied and never retracted, before or after
    retracted = {dot for side, dot in history if side == "N"}
    expected: Counter[str] = Counter()
    for dot in {dot for side, dot in history if side == "P"} - retracted:
        expected.update(counts(dot))
    assert state.value() == expected
    assert all(number > 0 for number in state.value().values())


def test_a_dot_retracted_before_it_is_applied_never_counts() -> None:
    # Given a retraction; if the dot arrives later
    dot = Dot("h1", 1)
    state = retract(dot).merge(apply(dot, {"late": 1}))
    # Expect it to be there, and not to count
    assert dot in state.positive
    assert state.value() == {}


def test_two_contents_of_one_dot_are_refused() -> None:
    # Given two states that disagree on a dot; expect merge to name it
    dot = Dot("h1", 7)
    with pytest.raises(Conflict, match="h1/7"):
        apply(dot, {"a": 1}).merge(apply(dot, {"a": 2}))


# The functions, on real replicas.


@pytest.fixture
def fresh(servers: Cluster, tmp_path: Path) -> Iterator[Any]:
    """Makes jobs without a dot, one an example."""
    made: list[Lockstep] = []

    def make() -> Lockstep:
        for old in made:
            old.close()
        made[:] = [Lockstep(servers, tmp_path)]
        return made[0]

    yield make
    for old in made:
        old.close()


def put(job: Lockstep, name: str, state: PNCounter) -> None:
    """Give a replica a state: dots that are retracted first, as it is harder."""
    for dot in sorted(state.negative):
        job.retract([name], [dot], [])
    for dot in sorted(state.positive):
        job.apply([name], [dot])


def exported(store: RedisResultStore) -> PNCounter:
    """A replica's state, read as another would read it."""
    positive: dict[Dot, dict[str, int]] = {}
    negative: set[Dot] = set()
    for origin in ORIGINS:
        held = store.dot_sets(origin)
        seqs = list(bitmap.members(held.applied))
        for seq, content in zip(seqs, store.deltas(origin, seqs), strict=True):
            assert content is not None
            positive[Dot(origin, seq)] = delta.unpack(content)
        negative |= set(dots(origin, bitmap.members(held.retracted)))
    return PNCounter(positive, frozenset(negative))


def merge_into(store: RedisResultStore, state: PNCounter) -> None:
    for dot in state.positive:
        store.apply(dot.origin, [(dot.seq, packed(dot))])
    for dot in state.negative:
        store.retract(dot.origin, [(dot.seq, b"")])


@on_servers
@given(a=states, b=states, c=states)
def test_functions_merge_as_the_model_does(
    fresh: Any, a: PNCounter, b: PNCounter, c: PNCounter
) -> None:
    # Given three replicas with a state each
    job = fresh()
    stores = [job.twins[name].store for name in NAMES]
    given_states = (a, b, c)
    for name, state in zip(NAMES, given_states, strict=True):
        put(job, name, state)
    assert tuple(exported(store) for store in stores) == given_states
    # If each merges the others, in its own order, and one of them twice
    for at, store in enumerate(stores):
        for turn in (1, 2, 1):
            merge_into(store, given_states[(at + turn) % 3])
    # Expect the model's join, with its value and one digest, on all
    joined = a.merge(b).merge(c)
    for twin in job.twins.values():
        assert exported(twin.store) == joined
        assert twin.value() == joined.value()
    assert len({store.status(ORIGINS).digest for store in stores}) == 1


@on_servers
@given(a=states, b=states, c=states)
def test_repair_merges_as_the_model_does(
    fresh: Any, a: PNCounter, b: PNCounter, c: PNCounter
) -> None:
    # Given three replicas with a state each; if the first is given the others, one by one
    one = fresh()
    for name, state in zip(NAMES, (a, b, c), strict=True):
        put(one, name, state)
    one.repair("h1", ["h2"], ["h1"])
    one.repair("h1", ["h3"], ["h1"])
    left = one.twins["h1"].store.status(ORIGINS).digest
    assert exported(one.twins["h1"].store) == a.merge(b).merge(c)
    # or, elsewhere, the others are joined first; expect the same
    two = fresh()
    for name, state in zip(NAMES, (a, b, c), strict=True):
        put(two, name, state)
    two.repair("h1", ["h3"], ["h2"])
    two.repair("h1", ["h2"], ["h1"])
    assert exported(two.twins["h1"].store) == a.merge(b.merge(c))
    assert two.twins["h1"].store.status(ORIGINS).digest == left
    # and all of them to end as one, with nothing left to copy
    two.converge()
    assert two.twins["h3"].value() == a.merge(b).merge(c).value()


@on_servers
@given(mine=histories, theirs=histories)
def test_digests_agree_where_states_do(fresh: Any, mine: list[Any], theirs: list[Any]) -> None:
    # Given two histories, each on a replica and on the model; the second also backwards
    job = fresh()
    for name, history in (("h1", mine), ("h2", theirs), ("h3", theirs[::-1])):
        for side, dot in history:
            if side == "P":
                job.apply([name], [dot])
            else:
                job.retract([name], [dot], [])
        # Expect the same P, N, value and counts of each
        assert exported(job.twins[name].store) == job.twins[name].model.counts
        job.check([name])
    # and digests to agree exactly where the models do
    first, second, backwards = (job.twins[name] for name in NAMES)
    said = [twin.store.status(ORIGINS).digest for twin in (first, second, backwards)]
    assert said[1] == said[2]
    assert (said[0] == said[1]) == (first.model.counts == second.model.counts)


def test_digests_tell_another_content_of_the_same_dot(fresh: Any) -> None:
    # Given one dot with two contents, as from a worker that miscounted
    job = fresh()
    for name, content in (("h1", {"a": 1}), ("h2", {"a": 2})):
        job.twins[name].store.apply("h1", [(1, delta.pack(content))])
    # Expect the replicas to be seen to differ
    said = {job.twins[name].store.status(ORIGINS).digest for name in ("h1", "h2")}
    assert len(said) == 2
