"""A background call goes on beside its caller; the next one waits for it, and raises its error."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from wc.core.background_call import BackgroundCall


@pytest.fixture
def background() -> Iterator[BackgroundCall]:
    call = BackgroundCall("test")
    yield call
    call.close()


def test_a_call_goes_on_and_the_next_waits_for_it(background: BackgroundCall) -> None:
    # Given a call that cannot end yet
    may_end, done = threading.Event(), []

    def first() -> None:
        may_end.wait(60)
        done.append("first")

    background.run(first)
    assert done == []
    # If it may; expect the next to come after it
    threading.Timer(0.05, may_end.set).start()
    background.run(lambda: done.append("second"))
    background.wait()
    assert done == ["first", "second"]


def test_what_a_call_raises_is_raised_once(background: BackgroundCall) -> None:
    def fail() -> None:
        raise ValueError("no")

    background.run(fail)
    with pytest.raises(ValueError, match="no"):
        background.wait()
    background.wait()
