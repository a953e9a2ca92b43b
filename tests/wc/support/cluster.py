"""Three real Redis servers on loopback, with real drivers and workers as processes.

What the protocol needs and no more: no namespaces, no supervisor, no root. Each "host"
has a Redis on a free port, secrets and a wc.json, exactly as a provisioned one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from faults.host import processes
from provision.host import redis_users
from wc.backends.redis.keys import GROUP, JobKeys
from wc.backends.redis.replica_set import ReplicaSet
from wc.cli import redis_admin
from wc.core import config
from wc.jobs.folder import JobFolder
from wc.jobs.spec import JobSpec

REPOSITORY = Path(__file__).resolve().parents[3]
PORTS = range(15000, 30000)
#: A deadline, not an expectation: other work may share the machine, and one that is kept costs
#: nothing.
SECONDS = 120.0


def eventually(check: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Poll until ``check`` gives something true; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


class Port:
    """A port on loopback that nobody else takes until it is released.

    Below those that the kernel gives to clients: a connection that happens to begin would have one
    of them before the server. Other tests are told by a name that goes with the process.
    """

    def __init__(self) -> None:
        for number in random.SystemRandom().sample(PORTS, len(PORTS)):
            self._name = socket.socket(socket.AF_UNIX)
            try:
                self._name.bind(f"\0faultline-tests/port/{number}")
                with socket.create_server(("127.0.0.1", number)):
                    self.number = number
                    return
            except OSError:  # another test has it, or somebody else listens
                self._name.close()
        raise AssertionError(f"no port of {PORTS} is free")

    def release(self) -> None:
        self._name.close()


def rules(user: str) -> str:
    """What a provisioned Redis lets the user do."""
    if user == "admin":
        return "~* +@all"
    said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"v=(\d+)\.(\d+)\.(\d+)", said.stdout)
    assert version, said.stdout
    allowed = redis_users.commands(user, tuple(int(part) for part in version.groups()))
    return " ".join(["~{*}:*", "~wc:*", *allowed])


class Node:
    """One host: its folder, its Redis, its processes."""

    def __init__(self, name: str, folder: Path, port: Port) -> None:
        self.name = name
        self.folder = folder
        self.reserved = port
        self.port = port.number
        self.server: subprocess.Popen[bytes] | None = None
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def config_path(self) -> Path:
        return self.folder / "wc.json"

    def start_redis(self) -> None:
        assert shutil.which("redis-server"), "redis-server is missing: apt-get install redis-server"
        said = self.folder / "redis.said"
        with said.open("ab") as log:
            self.server = server = subprocess.Popen(
                ["redis-server", str(self.folder / "redis.conf")],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def listens() -> bool:
            assert server.poll() is None, f"Redis has ended:\n{said.read_text()[-2000:]}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        eventually(listens, f"Redis of {self.name} listens")

    def kill_redis(self) -> None:
        """SIGKILL: no chance to save."""
        assert self.server is not None
        self.server.kill()
        self.server.wait()
        self.server = None

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


class Cluster:
    """Nodes h1..hn with a shared set of passwords."""

    def __init__(self, folder: Path, nodes: int = 3, **options: Any) -> None:
        self.folder = folder
        self.passwords = {user: secrets.token_hex(12) for user in ("admin", "driver", "worker")}
        #: Of the processes that are started from now on.
        self.environment: dict[str, str] = {}
        self.nodes = []
        for i in range(1, nodes + 1):
            (folder / f"h{i}").mkdir()
            self.nodes.append(Node(f"h{i}", folder / f"h{i}", Port()))
        self.options = {
            "lease_seconds": 1.0,
            "max_deliveries": 5,
            "write_quorum": 1,
            "shared_files": True,
            "adopt_after_seconds": 3.0,
            "compact_after_seconds": 3600.0,
            "compact_bytes": 1 << 40,
        } | options
        for node in self.nodes:
            self._write(node)

    def _write(self, node: Node) -> None:
        files = {}
        for user, password in self.passwords.items():
            files[user] = str(node.folder / f"{user}.secret")
            Path(files[user]).write_text(password)
            Path(files[user]).chmod(0o600)
        (node.folder / "jobs").mkdir()
        (node.folder / "users.acl").write_text(
            "user default off\n"
            + "".join(
                f"user {user} on #{hashlib.sha256(word.encode()).hexdigest()} {rules(user)}\n"
                for user, word in self.passwords.items()
            )
        )
        (node.folder / "redis.conf").write_text(
            f"port {node.port}\nbind 127.0.0.1\ndir {node.folder}\n"
            f'aclfile {node.folder}/users.acl\nsave ""\nappendonly no\n'
        )
        node.config_path.write_text(
            json.dumps(
                {
                    "cluster": "test",
                    "host": node.name,
                    "jobs": str(node.folder / "jobs"),
                    "replicas": [
                        {"host": n.name, "address": "127.0.0.1", "port": n.port} for n in self.nodes
                    ],
                    "origins": [n.name for n in self.nodes],
                    "secrets": files,
                }
                | self.options
            )
        )

    def __enter__(self) -> Cluster:
        for node in self.nodes:
            node.start_redis()
        for node in self.nodes:
            self.load(node)
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            for process in node.processes:
                process.kill()
                process.wait()
            if node.server is not None:
                node.kill_redis()
            node.reserved.release()

    def load(self, node: Node) -> None:
        redis_admin.load(config.load(node.config_path), SECONDS)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def client(self, name: str, user: str = "admin") -> redis.Redis:
        return redis.Redis(
            port=self.node(name).port, username=user, password=self.passwords[user], protocol=2
        )

    def replicas(self, name: str = "h1", user: str = "driver") -> ReplicaSet:
        return ReplicaSet(config.load(self.node(name).config_path), user)

    def spawn(self, node: Node, module: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a driver or worker as a process of its own."""
        with (node.folder / f"{module}-{len(node.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"wc.{module}", "--config", str(node.config_path), *options],
                cwd=REPOSITORY,
                env=os.environ | self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        node.processes.append(process)
        return process

    def count_slowly(self) -> None:
        """Let workers count in plain Python, for splits that take a while on any machine."""
        self.environment["FAULTLINE_KERNEL"] = "python"

    def start(self, workers: int = 1) -> None:
        for node in self.nodes:
            self.spawn(node, "driver")
            for index in range(workers):
                self.spawn(node, "worker", "--index", str(index))

    def ask(self, node: Node, command: str, *options: str, stdin: str = "") -> dict[str, Any]:
        """Run ``python -m wc COMMAND`` on a node; its last line."""
        done = subprocess.run(
            [sys.executable, "-m", "wc", command, "--config", str(node.config_path), *options],
            cwd=REPOSITORY,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def submit(
        self, name: str, pattern: str, split_bytes: int = 1 << 20, **options: Any
    ) -> JobSpec:
        """Plan on h1, deal the files round robin, prepare and activate on every origin. Up to
        ``share`` small files have one split."""
        share = options.pop("share", 1)
        tokenizer = options.pop("tokenizer", "whitespace")
        files = self.ask(self.nodes[0], "plan", "--input", pattern, "--tokenizer", tokenizer)[
            "files"
        ]
        spec = JobSpec(
            **{
                "name": name,
                "input": pattern,
                "tokenizer": tokenizer,
                "errors": "strict",
                "split_bytes": split_bytes,
                "batch": 1,
                "origins": tuple(node.name for node in self.nodes),
                "shared": True,
                "created": time.time(),
            }
            | options
        )
        shares = {
            node.name: {"files": files[i :: len(self.nodes)], "share": share}
            for i, node in enumerate(self.nodes)
        }
        for host, mine in shares.items():
            peers = {peer: theirs for peer, theirs in shares.items() if peer != host}
            request = {"spec": json.loads(spec.to_json()), **mine, "peers": peers}
            self.ask(self.node(host), "prepare", stdin=json.dumps(request))
        for node in self.nodes:
            self.ask(node, "activate", "--job", name)
        return spec

    def spec(self, job: str) -> JobSpec:
        found = JobFolder(self.nodes[0].folder / "jobs" / job).spec()
        assert found is not None
        return found

    def outcome(self, node: Node, job: str) -> dict[str, Any] | None:
        path = node.folder / "jobs" / job / "outcome.json"
        return json.loads(path.read_text()) if path.exists() else None

    def wait(self, job: str, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """The outcomes on every node, once all are there."""
        try:
            return [
                eventually(
                    lambda n=node: self.outcome(n, job), f"{job} ends on {node.name}", seconds
                )
                for node in self.nodes
            ]
        except AssertionError as error:
            logs = "\n".join(f"--- {node.name}\n{node.log()[-3000:]}" for node in self.nodes)
            raise AssertionError(f"{error}\n{logs}") from None

    def counts(self, job: str) -> list[dict[str, int]]:
        """The published counts of every replica."""
        return self.counts_of(job, [node.name for node in self.nodes])

    def counts_of(self, job: str, names: list[str]) -> list[dict[str, int]]:
        key = JobKeys(job).counts
        rows = [self.client(name).zrange(key, 0, -1, withscores=True) for name in names]
        return [{word.decode(): int(n) for word, n in found} for found in rows]


def stop_with_a_split(cluster: Cluster, job: str, worker: subprocess.Popen[bytes]) -> None:
    """SIGSTOP for a worker of h1 when it has a split of h1's queue in its hands.

    Looked at once it stands still: on a fast machine a split seen before may be done by now.
    """
    tasks, client = JobKeys(job).tasks("h1"), cluster.client("h1")

    def caught() -> bool:
        worker.send_signal(signal.SIGSTOP)
        eventually(lambda: processes.state(worker.pid)[0] == "T", "the worker stands still")
        # Without the queue there is no group to ask about, and the driver has yet to make it.
        if client.exists(tasks):
            names = [row["consumer"] for row in client.xpending_range(tasks, GROUP, "-", "+", 10)]
            if any(name.endswith(f":{worker.pid}".encode()) for name in names):
                return True
        worker.send_signal(signal.SIGCONT)
        return False

    eventually(caught, f"worker {worker.pid} has a split of h1")


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
