"""Redis servers on loopback, and nothing else: for what is measured between replicas alone.

They have the users, secrets and wc.json of a provisioned host; no namespaces, no root.
"""

from __future__ import annotations

import hashlib
import json
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from wc.cli import redis_admin
from wc.core import config

START_SECONDS = 60.0
PORTS = range(10_000, 15_000)
#: No checkpoints: a fork in the middle would be measured too.
SETTINGS = 'bind 127.0.0.1\nsave ""\nappendonly no\n'


class Loopback:
    """Running servers h1, h2, ...; ``configs`` are the hosts' views, by name."""

    def __init__(self, folder: Path, hosts: int) -> None:
        self._password = secrets.token_hex(16)
        self.servers: list[subprocess.Popen[bytes]] = []
        self._ports = {f"h{i + 1}": _free_port() for i in range(hosts)}
        self.configs = {name: self._configure(folder / name, name) for name in self._ports}

    def _configure(self, folder: Path, name: str) -> config.Config:
        (folder / "jobs").mkdir(parents=True)
        secret = _private(folder / "secret", self._password)
        word = hashlib.sha256(self._password.encode()).hexdigest()
        users = "".join(f"user {user} on #{word} ~* +@all\n" for user in ("admin", "driver"))
        acl = _private(folder / "users.acl", f"user default off\n{users}")
        (folder / "redis.conf").write_text(
            f"port {self._ports[name]}\ndir {folder}\naclfile {acl}\n{SETTINGS}"
        )
        replicas = [{"host": n, "address": "127.0.0.1", "port": p} for n, p in self._ports.items()]
        (folder / "wc.json").write_text(
            json.dumps(
                {
                    "cluster": "loopback",
                    "host": name,
                    "jobs": str(folder / "jobs"),
                    "replicas": replicas,
                    "origins": list(self._ports),
                    "secrets": {user: str(secret) for user in ("admin", "driver", "worker")},
                    "lease_seconds": 5,
                    "max_deliveries": 10,
                    "write_quorum": 1,
                    "shared_files": True,
                    "adopt_after_seconds": 10,
                    "compact_after_seconds": 30,
                    "compact_bytes": 1 << 28,
                }
            )
        )
        return config.load(folder / "wc.json")

    def start(self, folder: Path) -> None:
        for name in self._ports:
            command = ["redis-server", str(folder / name / "redis.conf")]
            self.servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        for view in self.configs.values():
            redis_admin.load(view, START_SECONDS)

    def stop(self) -> None:
        for server in self.servers:
            with suppress(ProcessLookupError):
                server.kill()
            server.wait()

    def client(self, name: str) -> redis.Redis:
        """A client with every right, beside the ones that are measured."""
        return redis.Redis(
            port=self._ports[name], username="admin", password=self._password, protocol=2
        )


@contextmanager
def loopback(hosts: int) -> Iterator[Loopback]:
    """Servers for the time of the block. RuntimeError if there is no redis-server."""
    if shutil.which("redis-server") is None:
        raise RuntimeError("redis-server is missing: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as name:
        servers = Loopback(Path(name), hosts)
        try:
            servers.start(Path(name))
            yield servers
        finally:
            servers.stop()


def _private(path: Path, content: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(content)
    return path


def _free_port() -> int:
    """One below those that the kernel gives to clients: they would have it before the server."""
    while True:
        number = random.choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", number)):
            return number
