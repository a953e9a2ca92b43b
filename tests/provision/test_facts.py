"""Parsers of facts, on literal answers."""

from __future__ import annotations

from provision import facts
from provision.facts import Listener, PathFact, UserFact

DIGEST = "ab" * 32


def test_version() -> None:
    assert facts.version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc") == (7, 0, 15)
    assert facts.version("Python 3.11.2") == (3, 11, 2)
    assert facts.version("") == ()


def test_paths() -> None:
    text = f"/a|f|640|root|fl|\n/b|d|755|root|root|\n/c|l|777|root|root|/a\n{DIGEST}  /a\n"
    assert facts.paths(text) == {
        "/a": PathFact("file", "640", "root", "fl", sha256=DIGEST),
        "/b": PathFact("directory", "755", "root", "root"),
        "/c": PathFact("link", "777", "root", "root", target="/a"),
    }


def test_programs() -> None:
    running = "driver   RUNNING   pid 7, uptime 0:00:01\nredis   FATAL   Exited too quickly\n3\n"
    assert facts.programs(running) == {"driver": "RUNNING", "redis": "FATAL"}
    assert facts.programs("unix:///x no such file\n4\n") is None
    assert facts.programs("127\n") is None
    assert facts.programs("") is None
    assert facts.programs("0\n") == {}


def test_users_listeners_library() -> None:
    assert facts.users("fl-a|fl-a|faultline cluster a\n") == {
        "fl-a": UserFact("fl-a", "faultline cluster a")
    }
    assert facts.listeners("127.0.0.1|redis (pid 7)|/x\nnonsense\n") == (
        Listener("127.0.0.1", "redis (pid 7)", "/x"),
    )
    assert facts.library('{"ping": true}') == {"ping": True}
    assert facts.library("Traceback") == {}
    assert facts.library("[]") == {}
