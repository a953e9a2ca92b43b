"""What `supervisorctl status` and supervisord's log say, read from literal output."""

from __future__ import annotations

from provision.host.processes import Process, parse

STATUS = """\
driver                           RUNNING   pid 7007, uptime 0:00:12
redis                            RUNNING   pid 7006, uptime 1 day, 2:03:04
workers:worker-0                 STARTING  
workers:worker-1                 BACKOFF   Exited too quickly (process log may have details)
workers:worker-2                 FATAL     can't find command '/nowhere/python'
workers:worker-3                 STOPPED   Nov 21 02:10 AM
workers:worker-4                 EXITED    Nov 21 02:11 AM
"""


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
TWO = """\
redis                            RUNNING   pid 21, uptime 0:00:12
workers:worker-0                 RUNNING   pid 24, uptime 0:00:01
"""


def restarts(text: str) -> dict[str, int]:
    return {process.name: process.restarts for process in parse(text)}


def test_restarts_are_the_starts_after_the_first() -> None:
    assert restarts(TWO + BEFORE) == {"redis": 2, "worker-0": 0}


def test_a_supervisord_that_was_started_again_counts_anew() -> None:
    """Given three starts before supervisord's own restart, and one after it.
    Expect no restart: a count belongs to the supervisord that now runs."""
    assert restarts(TWO + BEFORE + SINCE) == {"redis": 0, "worker-0": 2}


def test_no_supervisord_means_no_processes() -> None:
    for said in (
        "unix:///var/lib/faultline/lab/h1/run/supervisor.sock no such file\n",
        "unix:///var/lib/faultline/lab/h1/run/supervisor.sock refused connection\n",
        "error: <class 'PermissionError'>, [Errno 13] Permission denied: file: x line: 1\n",
        "",
    ):
        assert parse(said + BEFORE) == []
