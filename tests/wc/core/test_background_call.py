"""One call goes on behind its caller; the next waits for it, and hears how it ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from wc.core.background_call import OneBehind


@pytest.fixture
def behind() -> Iterator[OneBehind]:
    made = OneBehind("test")
    yield made
    made.close()


def test_a_call_goes_on_behind_and_the_next_waits_for_it(behind: OneBehind) -> None:
    # Given a call that cannot end yet
    may_end, done = threading.Event(), []

    def first() -> None:
        may_end.wait(60)
        done.append("first")

    behind.run(first)
    assert done == []
    # If it may; expect the next to come after it
    threading.Timer(0.05, may_end.set).start()
    behind.run(lambda: done.append("second"))
    behind.wait()
    assert done == ["first", "second"]


def test_what_a_call_raises_is_raised_once(behind: OneBehind) -> None:
    def fail() -> None:
        raise ValueError("no")

    behind.run(fail)
    with pytest.raises(ValueError, match="no"):
        behind.wait()
    behind.wait()
