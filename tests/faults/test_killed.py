"""The controller killed in the middle of its command: nothing is in force after the deadline."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.worker import Worker, records, timers
from tests.netns import CHECKOUT, TestCluster, netns_cluster, poll, ssh_cluster

pytestmark = pytest.mark.cluster
SECONDS = 3
LATE = 90  # what a loaded machine may add to a deadline, seconds


def start(cluster: TestCluster, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        cluster.command(*arguments),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen[bytes], moment: Callable[[], object]) -> None:
    """SIGKILL for the controller at the moment, or once it has ended."""
    while process.poll() is None and not moment():
        time.sleep(0.002)
    process.kill()
    process.wait()


def over(cluster: TestCluster) -> bool:
    """No fault is in force, nor on its way: what a killed controller has begun on a host may have
    yet to be written down, and is one of the processes that are looked for."""
    return not timers(cluster.name) and not records(cluster)


COMMANDS = (
    ("slow-worker", "--cpu", "25"),
    ("pause-worker",),
    ("crash-worker", "--at", "before-exit", "--probability", "0.5"),
)


@pytest.mark.parametrize("moment", ["by chance", "when it is written down", "when it is broken"])
def test_fab_killed(workers: list[Worker], moment: str) -> None:
    """Given each command killed at a moment, on a worker of its own. Expect all sound again."""
    cluster = workers[0].cluster
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for worker, command in zip(workers, COMMANDS, strict=False):
        process = start(cluster, *command, "--for", str(SECONDS), *worker.options)
        end = time.monotonic() + chance.uniform(0.5, 2.0)
        kind = f"{command[0]}-{worker.name}"
        moments: dict[str, Callable[[], object]] = {
            "by chance": lambda end=end: time.monotonic() > end,
            "when it is written down": lambda kind=kind: any(
                name.startswith(kind) for name in records(cluster)
            ),
            "when it is broken": lambda worker=worker: not worker.sound,
        }
        kill_when(process, moments[moment])
    poll(lambda: over(cluster) and all(worker.sound for worker in workers), SECONDS + LATE)


@pytest.mark.parametrize("command", ["restore-worker", "kill-worker", "kill-redis"])
def test_fab_killed_while_it_ends_or_strikes(workers: list[Worker], command: str) -> None:
    """Given faults in force and a command that ends them, or strikes, killed by chance. Expect
    nothing in force after the deadline, and everything running."""
    cluster = workers[0].cluster
    cluster.fab("slow-worker", "--cpu", "30", "--for", str(SECONDS + 2), *workers[0].options)
    process = start(cluster, command)
    end = time.monotonic() + random.SystemRandom().uniform(0.5, 1.5)
    kill_when(process, lambda: time.monotonic() > end)
    poll(lambda: over(cluster) and all(worker.sound for worker in workers), SECONDS + LATE)
    poll(lambda: cluster.all_run("h1"), LATE)


def test_destroyed_with_faults_in_force(tmp_path: Path) -> None:
    """Given a slow and a paused worker. If the cluster is destroyed, expect no group, timer,
    record or process of it."""
    with netns_cluster(tmp_path, hosts=1) as cluster:
        cluster.fab("provision")
        worker, other = Worker(cluster, "h1", 0), Worker(cluster, "h1", 1)
        poll(lambda: worker.pid and other.pid)
        cluster.fab("slow-worker", "--cpu", "30", "--for", "3600")
        cluster.fab("pause-worker", "--for", "3600", *other.options)
        assert len(timers(cluster.name)) == 2
        said = cluster.fab("destroy", "--yes").stdout
        assert f"faultline-{cluster.name}" in said
        assert not cluster.folder("h1").parent.exists()
        assert not list(Path("/sys/fs/cgroup").glob(f"**/faultline-{cluster.name}"))
        poll(lambda: not timers(cluster.name), LATE)


def test_ssh_connection_killed(tmp_path: Path) -> None:
    """Given slow-worker over SSH. If the controller and the connection's sshd are killed once the
    limit is there. Expect the limit gone after the deadline."""
    with ssh_cluster(tmp_path, hosts=1) as cluster:
        cluster.fab("provision")
        worker = Worker(cluster, "h1", 0)
        poll(lambda: worker.pid)
        answer = cluster.json("slow-worker", "--cpu", "5")
        assert answer["measured"][0]["percent"] <= 8.75
        cluster.fab("restore-worker")
        assert worker.limit is None
        process = start(cluster, "slow-worker", "--cpu", "20", "--for", str(SECONDS))
        daemon = int((tmp_path / "h1.pid").read_text())

        def sessions() -> list[int]:
            children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text()
            return [int(pid) for pid in children.split()]

        connections: list[int] = []

        def limited() -> bool:
            connections[:] = sessions() or connections
            return worker.limit == 20

        kill_when(process, limited)
        for pid in connections:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        poll(lambda: worker.limit is None and over(cluster), SECONDS + LATE)
