"""The fork server: commands run in its children exactly as they would by themselves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wc.support.cluster import REPOSITORY, Cluster, eventually
from wc.cli import fork_client
from wc.jobs.folder import JobFolder
from wc.jobs.manifest import Manifest
from wc.jobs.spec import JobSpec


@pytest.fixture
def host(make_cluster: Callable[..., Cluster], tmp_path: Path) -> Path:
    """The configuration of a host, laid out as provisioning does it."""
    config = json.loads(make_cluster(nodes=1).node("h1").config_path.read_text())
    folder = tmp_path / "host"
    (folder / "etc").mkdir(parents=True)
    (folder / "jobs").mkdir()
    path = folder / "etc" / "wc.json"
    path.write_text(json.dumps(config | {"jobs": str(folder / "jobs")}))
    return path


@pytest.fixture
def server(host: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-m", "wc.cli.fork_server", "--config", str(host)]
    with subprocess.Popen(words, cwd=REPOSITORY) as process:
        try:
            eventually(Path(fork_client.socket_path(str(host))).exists, "the server listens")
            yield process
        finally:
            process.kill()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


def command(host: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "wc", words[0], "--config", str(host), *words[1:]]


def run(host: Path, *words: str, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        command(host, *words),
        cwd=REPOSITORY,
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def submit(host: Path, job: str) -> None:
    """A job that no driver will end."""
    spec = JobSpec(job, "*", "whitespace", "strict", 1, 1, ("h1",), True, 1.0)
    JobFolder(host.parents[1] / "jobs" / job).prepare(spec, Manifest(1, []), activate=True)


def test_output_errors_input_and_exit_codes_are_the_same(
    host: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Given commands that succeed, are refused, are wrong, need input, and ask Redis
    (tmp_path / "naïve.txt").write_text("one two")
    wrong = json.dumps({"spec": {}})
    commands = [
        (("plan", "--input", f"{tmp_path}/na*.txt"), ""),
        (("plan", "--input", "/nowhere/*"), ""),
        (("plan",), ""),
        (("prepare",), wrong),
        (("activate", "--job", "naïve"), ""),
        (("state",), ""),
        (("top",), ""),
    ]
    alone = [run(host, *words, stdin=stdin) for words, stdin in commands]
    # If a server runs them
    request.getfixturevalue("server")
    forked = [run(host, *words, stdin=stdin) for words, stdin in commands]
    # Expect no difference
    assert [code for code, _, _ in alone] == [0, 1, 2, 1, 1, 0, 1]
    assert [(code, err) for code, _, err in forked] == [(code, err) for code, _, err in alone]
    states = [json.loads(answers[5][1]) for answers in (alone, forked)]
    assert [state["reachable"] for state in states] == [True, True]
    assert forked[0][1] == alone[0][1]


def test_a_command_ends_with_its_client(host: Path, server: subprocess.Popen[bytes]) -> None:
    submit(host, "watched")
    words = command(host, "watch", "--job", "watched")
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert json.loads(client.stdout.readline())["phase"] == "waiting"
        assert len(children(server)) == 1
        client.kill()
    eventually(lambda: not children(server), "the child ends")


def test_a_command_that_is_killed(host: Path, server: subprocess.Popen[bytes]) -> None:
    submit(host, "watched")
    words = command(host, "watch", "--job", "watched")
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=pipe, stderr=pipe) as client:
        assert client.stdout is not None
        client.stdout.readline()
        os.kill(children(server)[0], signal.SIGKILL)
        _, errors = client.communicate()
    assert (client.returncode, errors) == (1, b"the command was killed\n")


def test_a_command_outlives_the_server(host: Path, server: subprocess.Popen[bytes]) -> None:
    submit(host, "watched")
    words = command(host, "watch", "--job", "watched")
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.readline()
        os.kill(server.pid, signal.SIGTERM)
        server.wait()
        JobFolder(host.parents[1] / "jobs" / "watched").write_outcome({"revision": 0})
        assert json.loads(client.stdout.readlines()[-1])["phase"] == "done"
    assert client.returncode == 0


@pytest.mark.parametrize("greeting", [b"", b"0 /usr", None])
def test_a_server_that_is_dying_another_or_stopped(
    greeting: bytes | None, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_client, "GREETING_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(fork_client.socket_path(str(host)))
        listening.listen()

        def greet() -> None:
            with listening.accept()[0] as client:
                client.send(greeting or b"")

        if greeting is not None:
            threading.Thread(target=greet).start()
        # Expect the client to run the command itself
        assert fork_client.run(["plan", "--config", str(host)]) is None


def test_the_client_imports_little() -> None:
    code = "import sys, wc.cli.fork_client; print(*sys.modules)"
    words = [sys.executable, "-S", "-c", code]  # without what the environment's .pth files import
    done = subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    assert not {"argparse", "json", "dataclasses", "redis"} & set(done.stdout.split())
