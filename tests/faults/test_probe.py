"""The probe of connections: what is there, what refuses, and a probe that gets its turn late."""

from __future__ import annotations

import os
import socket
from errno import ECONNREFUSED

import pytest

from faults.host.probe import probe


@pytest.mark.parametrize("seconds", [5.0, 0.0], ids=["in time", "its time is over at once"])
def test_an_answer_that_has_come_is_seen(seconds: float) -> None:
    # Given a port that somebody listens on, and one that is held by somebody who does not listen
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        open_, closed = (f"127.0.0.1:{one.getsockname()[1]}" for one in (server, mute))
        # If both are tried, however late the probe gets to look; expect what the kernel answered
        assert probe([open_, closed], seconds) == {open_: "", closed: os.strerror(ECONNREFUSED)}
