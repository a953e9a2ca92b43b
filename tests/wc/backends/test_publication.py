"""How a tally gets into the sorted set: all of it, in short commands, most in descending order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.wc.support.cluster import Cluster
from wc.backends.api import Extent
from wc.backends.redis import publication
from wc.backends.redis.keys import JobKeys
from wc.backends.redis.result_store import RedisResultStore
from wc.counts import delta, kernel

SLICE, TRIP, PART = 3, 6, 12
#: Counts that repeat, and words that are what Redis' protocol separates by.
WORDS = {f"{number:x}\r\n$1 é\0": number % 7 + 1 for number in range(40)}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few words in each step of it."""
    for name, size in (("SLICE", SLICE), ("TRIP", TRIP), ("PART", PART)):
        monkeypatch.setattr(publication, name, size)


@pytest.mark.parametrize("words", [0, 1, SLICE, PART - 1, PART, PART + 1, 3 * PART, 40])
@pytest.mark.parametrize("most", [0, 1, TRIP, PART + 1, 100])
def test_the_set_has_the_words_asked_for(servers: Cluster, words: int, most: int) -> None:
    # Given a tally of so many words, and an older set
    admin, keys = servers.client("h1"), JobKeys("set")
    store = RedisResultStore(servers.replicas().by_name["h1"].client, "set")
    counts = dict(list(WORDS.items())[:words])
    tally = kernel.new_tally()
    tally.add(delta.pack(counts))
    admin.zadd(keys.counts, {"older": 5})
    admin.config_resetstat()
    # If its most frequent words are published
    published = store.publish("h1", tally, "state", most)
    # Expect these in the set, and nothing beside it
    expected = tally.top(most)
    assert store.published_top(0) == expected
    assert admin.get(keys.published) == b"state"
    assert not store.is_publishing("h1")
    # and how many of how many these are
    assert published == store.extent() == Extent(len(expected), words, most)
    assert published.complete == (len(expected) == words)
    # and that no command had more than a slice
    commands = admin.info("commandstats").get("cmdstat_zadd", {"calls": 0})["calls"]
    assert commands == -(-len(expected) // SLICE)


def test_counts_of_some_words_and_how_much_there_is(servers: Cluster) -> None:
    # Given the first words of more
    store = RedisResultStore(servers.replicas().by_name["h1"].client, "some")
    assert store.published_counts(["a"]) == (None, [None])
    tally = kernel.new_tally()
    tally.add(delta.pack({"a": 2, "b": 1, "": 3}))
    store.publish("h1", tally, "state", 3, 9)
    # Expect their counts, none of others, and how many there are in all
    extent = Extent(3, 9, 3)
    assert store.published_counts(["c", "", "a"]) == (extent, [None, 3, 2])
    assert store.published_counts([]) == (extent, [])
    # If an earlier version publishes, which knows no extent; expect none
    servers.client("h1").set(JobKeys("some").published, "later")
    assert store.extent() is None


def test_parts_have_all_rows_each_in_descending_order() -> None:
    parts = list(publication._parts(WORDS.items()))
    assert dict(parts) == WORDS
    ordered = [(count, word) for word, count in parts]
    rises = [at for at, (one, next_) in enumerate(pairwise(ordered), 1) if one < next_]
    assert set(rises) <= set(range(PART, len(parts), PART))
