"""A few words' counts, found in packed deltas."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wc.counts.test_word_order import MANY, same_hash
from tests.wc.support import strategies as given_
from wc.counts import delta, lookup
from wc.counts.lookup import Lookup


@given(st.lists(given_.counts, max_size=4), given_.counts, st.lists(given_.words, min_size=1))
def test_counts_are_those_of_the_deltas(
    many: list[dict[str, int]], taken: dict[str, int], others: list[str]
) -> None:
    # Given words of some deltas, and others
    expected = Counter[str]()
    for counts in many:
        expected.update(counts)
    found = Lookup([*expected, *others])
    # If the deltas are added, and one more that is then subtracted
    found.add(*map(delta.pack, many), delta.pack(taken))
    found.subtract(delta.pack(taken))
    # Expect each word's count, and 0 for those that are in none
    assert {word: found.get(word) for word in expected} == expected
    assert all(found.get(word) == expected[word] for word in others)


@pytest.mark.parametrize("guesses", [lookup.GUESSES, 0, 1])
def test_every_word_of_many_is_found(monkeypatch: pytest.MonkeyPatch, guesses: int) -> None:
    # Given many words, some of which have the same place, each with its own count
    monkeypatch.setattr(lookup, "GUESSES", guesses)
    alike = [word.decode() for word in same_hash([f"{n:x}".encode() for n in range(MANY)])]
    assert alike
    words = [*alike, *(f"word-{n}" for n in range(2000)), "long " * 60]
    counts = {word: number for number, word in enumerate(words, 1)}
    # If each is looked up, and as many that are not there
    found = Lookup([*words, *(f"no-{word}" for word in words)])
    found.add(delta.pack(counts))
    # Expect its count
    assert {word: found.get(word) for word in words} == counts
    assert not any(found.get(f"no-{word}") for word in words)


def test_a_damaged_delta_is_refused() -> None:
    with pytest.raises(delta.DeltaError, match="checksum mismatch"):
        Lookup(["a"]).add(delta.pack({"a": 1})[:-1] + b"b")
