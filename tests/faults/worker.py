"""What tests check: a worker's limit, state and orders; records and timers of a cluster."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from cgroups.detect import hierarchy
from faults.host import processes
from tests.netns import TestCluster


@dataclass
class Worker:
    cluster: TestCluster
    host: str
    number: int

    @property
    def name(self) -> str:
        return f"worker-{self.number}"

    @property
    def options(self) -> tuple[str, ...]:
        return ("--host", self.host, "--worker", str(self.number))

    @property
    def group(self) -> str:
        return f"{self.cluster.name}/{self.host}/{self.name}"

    @property
    def limit(self) -> float | None:
        return hierarchy().limit(self.group)

    @property
    def pid(self) -> int:
        """0 when it does not run just now."""
        return self.cluster.programs(self.host).get(f"workers:{self.name}", 0)

    @property
    def state(self) -> str:
        return processes.state(self.pid)[0]

    @property
    def stopped(self) -> bool:
        """Looks at its group: cheaper than asking supervisord."""
        return any(processes.state(pid)[0] == "T" for pid in hierarchy().pids(self.group))

    @property
    def crash_file(self) -> Path:
        return self.cluster.folder(self.host) / "crash" / f"{self.name}.json"

    @property
    def log(self) -> str:
        return (self.cluster.folder(self.host) / "log" / f"{self.name}.log").read_text()

    @property
    def sound(self) -> bool:
        return self.limit is None and not self.stopped and not self.crash_file.exists()


def records(cluster: TestCluster) -> list[str]:
    """Names of the faults that are written down on any host."""
    found = (cluster.folder(h.name) / "run/faults" for h in cluster.inventory.hosts)
    return sorted(path.stem for folder in found for path in folder.glob("*.json"))


def in_force(cluster: TestCluster) -> list[tuple[str, str, str]]:
    found = json.loads(cluster.fab("status", "--json").stdout)["faults"]
    return [(fault["host"], fault["target"], fault["fault"]) for fault in found]


def timers(cluster: str) -> list[int]:
    """Timers still waiting for deadlines of a cluster, by what is on their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if b"faults.host" in command and f"/{cluster}/".encode() in command:
            found.append(int(name))
    return found
