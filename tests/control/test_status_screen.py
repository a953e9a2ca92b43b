"""What `status --watch` shows fits a terminal of 80 by 24, also when much is wrong."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from control.status_screen import render

HOSTS = ("h1", "h2", "h3")


def process(name: str, state: str = "RUNNING", restarts: int = 0) -> dict[str, Any]:
    return {"name": name, "state": state, "detail": "", "uptime": "0:01:00", "restarts": restarts}


def fault(host: str, target: str, text: str) -> dict[str, Any]:
    return {"host": host, "target": target, "text": text, "seconds_left": 51.0, "stale": False}


PROGRAMS = [process(p) for p in ("redis", "driver", "commands", "repair", "worker-0", "worker-1")]
STATUS: dict[str, Any] = {
    "cluster": "lab",
    "hosts": {
        "h1": {"address": "198.18.0.1", "error": "", "processes": PROGRAMS},
        "h2": {
            "address": "198.18.0.2",
            "error": "",
            "processes": [*PROGRAMS[:5], process("worker-1", "BACKOFF", 2)],
        },
        "h3": {"address": "198.18.0.3", "error": "no route to host", "processes": []},
    },
    "job": {
        "name": "books",
        "state": "counting",
        "total": 3000,
        "applied": 1234,
        "origins": {host: {"total": 1000, "applied": 411, "dead": 0} for host in HOSTS},
        "dead": {},
        "waits_for": [f"{n} splits of h{n} to be counted" for n in range(1, 6)],
        "stats": {"takeovers": 3, "duplicates": 7, "failures": 2, "wasted_ms": 3210},
    },
    "converged": False,
    "replicas": {
        host: {
            "reachable": host != "h3",
            "error": "" if host != "h3" else "timed out after 2 s",
            "applied": 1200,
            "digest": host,
            "published": False,
            "extent": None,
            "redis": {"memory": 12_300_000},
        }
        for host in HOSTS
    },
    "repair": {},
    "unreadable": {},
    "faults": [fault("h1", f"worker-{n}", "limited to 20 % of one core") for n in range(9)],
    "reachability": {"h1": {"h1": True, "h2": True, "h3": False}, "h2": {"h3": False}},
}


def test_it_fits_80_by_24() -> None:
    out = StringIO()
    Console(file=out, width=80).print(render(STATUS))
    lines = out.getvalue().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    # The job comes first, and what is wrong is there
    assert lines[0].startswith("books: counting, 1,234 of 3,000 splits applied")
    text = " ".join(" ".join(lines).split())
    for part in (
        "3 splits of h3 to be counted; and 2 more",
        "limited to 20 % of one core",
        "and 4 more",
        "h1 to h3, h2 to h3",
        "5 running, worker-1 BACKOFF, worker-1 restarted 2x",
        "no route to host",
        "timed out after 2 s",
    ):
        assert part in text
