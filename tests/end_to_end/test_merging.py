"""scripts/merge_counters and scripts/read_repair as commands, on provisioned hosts."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.support import admin, count_of, host_names, stopped, until, workers
from tests.netns import CHECKOUT, TestCluster
from wc.backends.redis.keys import JobKeys

pytestmark = pytest.mark.cluster

TEXT = "some words, and some words again\n"


def script(
    cluster: TestCluster, name: str, *arguments: str | Path, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """A script as typed; the test fails unless it exits with `code`."""
    done = subprocess.run(
        [f"scripts/{name}", *map(str, arguments), "--inventory", str(cluster.path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


def answer(cluster: TestCluster, *command: str | Path, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(script(cluster, *command, "--json", code=code).stdout))


@pytest.fixture
def drivers_stopped(cluster: TestCluster) -> Iterator[None]:
    """Nobody counts or repairs meanwhile: what is there came by the scripts."""
    programs = [cluster.programs(host) for host in host_names(cluster)]
    others = [found[name] for found in programs for name in ("driver", "repair")]
    with stopped(workers(cluster)), stopped(others):
        yield


@pytest.fixture
def job(cluster: TestCluster, folder: Path) -> dict[str, Any]:
    """A job that has ended; the answer of `top`."""
    name = f"merge-{secrets.token_hex(3)}"
    for number in range(6):
        (folder / f"{number}.txt").write_text(TEXT * 200 + f"only-{number}\n")
    cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", name, "--split-size", "2kb")
    return cluster.json("top", "--job", name, "--limit", "0")


def left_behind(cluster: TestCluster) -> list[Path]:
    """Files of states on the hosts."""
    return [
        path
        for host in host_names(cluster)
        for path in (cluster.folder(host) / "jobs").glob("state-*")
    ]


def test_the_scripts(
    cluster: TestCluster, job: dict[str, Any], folder: Path, request: pytest.FixtureRequest
) -> None:
    name, state = job["job"], folder / "state.sqlite"
    # Given an ended job, nobody who would count or repair, and h1's state in a file
    request.getfixturevalue("drivers_stopped")
    said = script(cluster, "merge_counters", "--export", "h1", "--file", state, "--job", name)
    assert said.stdout == f"{name}: {job['applied']} dots of h1 written to {state}\n"
    assert not left_behind(cluster)
    # If every replica loses everything
    for host in host_names(cluster):
        admin(cluster, host).flushall()
    # Expect the file merged into two of them to be all of it
    result = answer(cluster, "merge_counters", "--import", state, "--to", "h2,h3")
    assert result["agreed"]
    assert {n: (t["copied"], t["left"]) for n, t in result["targets"].items()} == {
        "h2": (job["applied"], 0),
        "h3": (job["applied"], 0),
    }
    assert not left_behind(cluster)
    # If it is merged from there into the first
    check = answer(cluster, "read_repair", "--check", "--job", name, code=1)
    assert (check["missing"], check["converged"]) == (job["applied"], False)
    said = script(cluster, "merge_counters", "--from", "h2,h3", "--to", "h1", "--job", name)
    assert "h1: nothing of h2, h3 is missing there" in said.stdout
    assert "h2, h3, h1 hold the same" in said.stdout
    # Expect the words of before, and the replicas to agree
    assert count_of(cluster.json("top", "--job", name, "--limit", "0")) == count_of(job)
    assert "all replicas hold the same" in script(cluster, "read_repair", "--job", name).stdout
    # If a part is lost again; expect a repair to say what it did, as fab does
    client: Any = admin(cluster, "h3")
    client.delete(*[k for k in client.keys("{*") if name.encode() in k])
    result = answer(cluster, "read_repair", "--job", name, "--from", "h1", "--to", "h3")
    assert (result["copied"], result["converged"]) == (job["applied"], True)
    assert result.keys() == cluster.json("read-repair", "--job", name).keys()


def test_afterwards_the_drivers_go_on(
    cluster: TestCluster, job: dict[str, Any], folder: Path
) -> None:
    """Given everything lost on all replicas, and no worker to count again. If the file is merged
    into one. Expect the drivers to bring it to the others, and to publish."""
    name, state = job["job"], folder / "state.sqlite"
    script(cluster, "merge_counters", "--export", "h2", "--file", state, "--job", name)
    names = host_names(cluster)
    with stopped(workers(cluster)):
        for host in names:
            admin(cluster, host).flushall()
        script(cluster, "merge_counters", "--import", state, "--to", "h2")

        def published(host: str) -> dict[str, int]:
            client: Any = admin(cluster, host)
            rows = client.zrange(JobKeys(name).counts, 0, -1, withscores=True)
            return {word.decode(): int(count) for word, count in rows}

        expected = dict(count_of(job))
        until(lambda: all(published(host) == expected for host in names))
    assert cluster.json("verify", "--job", name)["verdict"] == "valid"


def test_what_goes_wrong(cluster: TestCluster, job: dict[str, Any], folder: Path) -> None:
    name, state = job["job"], folder / "state.sqlite"
    script(cluster, "merge_counters", "--export", "h1", "--file", state, "--job", name)
    # Given a damaged file; expect each host's refusal with the table, and nothing left there
    data = state.read_bytes()
    at = data.index(b"FLD")
    state.write_bytes(data[: at + 60] + b"\xff" + data[at + 61 :])
    done = script(cluster, "merge_counters", "--import", state, "--to", "h1,h2", code=2)
    for host in ("h1", "h2"):
        assert f"{host}: state file damaged: table" in done.stderr
    assert not left_behind(cluster)
    # Given a truncated one, and --json; expect one object with the error
    state.write_bytes(data[: len(data) // 2])
    result = answer(cluster, "merge_counters", "--import", state, "--to", "h3", code=2)
    assert not result["agreed"]
    assert "state file" in result["targets"]["h3"]["error"]
    # Given no such job; expect that, and no file
    away = folder / "away.sqlite"
    for command in (
        ("--export", "h1", "--file", away, "--job", "nope"),
        ("--from", "h1", "--to", "h2", "--job", "nope"),
    ):
        assert "nope" in script(cluster, "merge_counters", *command, code=2).stderr
    assert not left_behind(cluster)
    assert not list(folder.glob("away*"))
    # Given a replica that does not answer; expect it to be named, and exit code 2
    with stopped([cluster.programs("h3")["redis"]]):
        for command in (("--from", "h1", "--to", "h3"), ("--import", state, "--to", "h3")):
            state.write_bytes(data)
            done = script(cluster, "merge_counters", *command, code=2)
            assert "h3" in (done.stdout + done.stderr)
