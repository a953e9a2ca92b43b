"""Work on several hosts at once: an answer or an error by host, and Ctrl-C."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from provision.connect import hosts as module
from provision.connect.hosts import Hosts, answers
from provision.inventory.model import Host, load

INVENTORY = '[cluster]\nname = "many"\nconnection = "netns"\n'
HOST = '[[hosts]]\nname = "h{0}"\naddress = "198.18.0.{0}"\n'


class Connector:
    """Stands for a way to a host: it only knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    monkeypatch.setattr(module, "connect", lambda *_: Connector())
    path = tmp_path / "inventory.toml"
    path.write_text(INVENTORY + "".join(HOST.format(n) for n in (1, 2, 3)))
    return Hosts(load(path))


def test_a_host_that_fails_stops_no_other(hosts: Hosts) -> None:
    def work(host: Host) -> str:
        if host.name == "h2":
            raise ValueError("h2 is odd")
        return host.address

    found = hosts.each(work)
    assert list(found) == ["h1", "h2", "h3"]
    assert (found["h1"], found["h3"]) == ("198.18.0.1", "198.18.0.3")
    with pytest.raises(ValueError, match="h2 is odd"):
        answers(found)
    assert hosts.each(work, []) == {}
    only = hosts.each(work, [hosts.inventory.host("h3")])
    assert answers(only) == {"h3": "198.18.0.3"}


def test_interrupted_all_connections_close(hosts: Hosts) -> None:
    """Given work that lasts until its connection is closed. If one thread is interrupted; expect
    the others to end, and the interruption to be raised."""

    def work(host: Host) -> None:
        if host.name == "h1":
            raise KeyboardInterrupt
        way: Any = hosts.connector(host)
        assert way.closed.wait(60)

    with pytest.raises(KeyboardInterrupt):
        hosts.each(work)


def test_closed_at_the_end(hosts: Hosts) -> None:
    ways: list[Any] = [hosts.connector(host) for host in hosts.inventory.hosts]
    with hosts:
        assert not any(way.closed.is_set() for way in ways)
    assert all(way.closed.is_set() for way in ways)
