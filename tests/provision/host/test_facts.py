"""Parsers of facts, on literal answers."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from provision.host import facts
from provision.host.fact_commands import MEMORY, listeners_script
from provision.host.facts import Listener, PathFact, UserFact
from tests.netns import poll

DIGEST = "ab" * 32
LISTENING = """
import ctypes, os, socket, sys, threading
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
def last():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=last).start()
"""
#: Its first thread ends by itself, so that the process has its socket, and no folder any more.
ENDING = f"{LISTENING}ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n"


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
    assert facts.users("fl-a|fl-a|999|faultline cluster a\n") == {
        "fl-a": UserFact("fl-a", "faultline cluster a", "999")
    }
    assert facts.listeners("127.0.0.1|redis (pid 7)|/x\nnonsense\n") == (
        Listener("127.0.0.1", "redis (pid 7)", "/x"),
    )
    assert facts.library('{"ping": true}') == {"ping": True}
    assert facts.library("Traceback") == {}
    assert facts.library("[]") == {}


def test_memory() -> None:
    """Given a machine's memory, and control groups with and without a limit. Expect the least."""
    assert facts.least("8000000000\nmax\n4000000000\n") == 4_000_000_000
    assert facts.least("") == 0
    here = subprocess.run(["sh", "-c", MEMORY], capture_output=True, text=True, check=False)
    assert 0 < facts.least(here.stdout) <= psutil.virtual_memory().total


def test_who_listens_and_where(tmp_path: Path) -> None:
    # Given a process that listens. Expect its address, process id and folder
    command = [sys.executable, "-c", LISTENING]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        script = listeners_script(int(process.stdout.readline()))
        rows = subprocess.check_output(["sh", "-c", script], text=True)
        (listener,) = facts.listeners(rows)
        assert f"(pid {process.pid})" in listener.process
        assert (listener.address, listener.folder) == ("127.0.0.1", str(tmp_path))
        process.kill()


def child_names(process: psutil.Process) -> set[str]:
    names = set()
    for child in process.children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            names.add(child.name())
    return names


def test_who_is_just_ending_does_not_listen_any_more() -> None:
    # Given a process that is ending: it still has its socket, but no working directory
    command = [sys.executable, "-c", ENDING]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as ending:
        assert ending.stdin is not None
        assert ending.stdout is not None
        script = listeners_script(int(ending.stdout.readline()))
        poll(lambda: psutil.Process(ending.pid).status() == psutil.STATUS_ZOMBIE)
        # If the sockets are listed, and the process ends after the first list
        with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as asking:
            asker = psutil.Process(asking.pid)
            poll(lambda: "sleep" in child_names(asker))
            ending.stdin.close()
            # Expect no listener: the port is free then
            assert facts.listeners(asking.communicate(timeout=60)[0]) == ()
