"""What supervisord and its log say, read from literal answers."""

from __future__ import annotations

import xmlrpc.client

from provision.host.processes import Process, parse


def said(*rows: tuple[str, str, int, str]) -> str:
    """supervisord's answer about programs: name, state, process id, description."""
    keys = ("name", "statename", "pid", "description")
    infos = [dict(zip(keys, row, strict=True)) for row in rows]
    return xmlrpc.client.dumps((infos,), methodresponse=True)


STATUS = said(
    ("driver", "RUNNING", 7007, "pid 7007, uptime 0:00:12"),
    ("redis", "RUNNING", 7006, "pid 7006, uptime 1 day, 2:03:04"),
    ("worker-0", "STARTING", 7008, ""),
    ("worker-1", "BACKOFF", 0, "Exited too quickly (process log may have details)"),
    ("worker-2", "FATAL", 0, "can't find command '/nowhere/python'"),
    ("worker-3", "STOPPED", 0, "Nov 21 02:10 AM"),
    ("worker-4", "EXITED", 0, "Nov 21 02:11 AM"),
)


def test_every_state() -> None:
    assert parse(STATUS) == [
        Process("driver", "RUNNING", 7007, "0:00:12", 0, ""),
        Process("redis", "RUNNING", 7006, "1 day, 2:03:04", 0, ""),
        Process("worker-0", "STARTING", None, "", 0, ""),
        Process(
            "worker-1",
            "BACKOFF",
            None,
            "",
            0,
            "Exited too quickly (process log may have details)",
        ),
        Process("worker-2", "FATAL", None, "", 0, "can't find command '/nowhere/python'"),
        Process("worker-3", "STOPPED", None, "", 0, "Nov 21 02:10 AM"),
        Process("worker-4", "EXITED", None, "", 0, "Nov 21 02:11 AM"),
    ]


BEFORE = """\
2026-11-21 02:00:00,001 INFO supervisord started with pid 10
2026-11-21 02:00:01,002 INFO spawned: 'redis' with pid 11
2026-11-21 02:00:05,003 INFO spawned: 'redis' with pid 12
2026-11-21 02:00:09,004 INFO spawned: 'redis' with pid 13
"""
SINCE = """\
2026-11-21 03:00:00,001 INFO supervisord started with pid 20
2026-11-21 03:00:01,002 INFO spawned: 'redis' with pid 21
2026-11-21 03:00:01,003 INFO spawned: 'worker-0' with pid 22
2026-11-21 03:00:09,004 INFO spawned: 'worker-0' with pid 23
2026-11-21 03:00:12,005 INFO spawned: 'worker-0' with pid 24
"""
TWO = said(
    ("redis", "RUNNING", 21, "pid 21, uptime 0:00:12"),
    ("worker-0", "RUNNING", 24, "pid 24, uptime 0:00:01"),
)


def restarts(text: str) -> dict[str, int]:
    return {process.name: process.restarts for process in parse(text)}


def test_restarts_are_the_starts_after_the_first() -> None:
    assert restarts(TWO + BEFORE) == {"redis": 2, "worker-0": 0}


def test_a_supervisord_that_was_started_again_counts_anew() -> None:
    """Given three starts before supervisord's own restart, and one after it.
    Expect no restart: a count belongs to the supervisord that now runs."""
    assert restarts(TWO + BEFORE + SINCE) == {"redis": 0, "worker-0": 2}


def test_no_supervisord_means_no_processes() -> None:
    assert parse("") == []
