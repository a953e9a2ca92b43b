"""How long a job takes: until its first split is applied, until all are, and until it has ended.

All are applied as soon as every split is applied on some replica. A probe on each host reads that
host's replica (bench/probe.py); here the union of their bitmaps is taken. Hosts that are cut off
from each other are still seen, because the probes' output goes through the hosts' connectors. All
hosts share this machine's clock; times are seconds since the epoch.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness import Bench
from provision.connect.contract import Connector, ConnectorError
from provision.connect.factory import connect
from provision.inventory.model import Inventory, load
from wc.core import bitmap

PROBE = Path(__file__).with_name("probe.py")
READY_SECONDS = 30.0
#: How many words of the result are returned, to be compared.
WORDS = 1000


@dataclass(frozen=True)
class JobTimes:
    """A job that has ended. Seconds since its submission; ``digests`` has one value if its
    replicas are equal, and ``words`` its most frequent ones with their counts."""

    first: float
    applied: float
    ended: float
    digests: frozenset[str]
    words: list[Any]


class ReplicaProbes:
    """The probes of one job: what is applied on any replica."""

    def __init__(self, origins: list[str], probes: int) -> None:
        self._origins = origins
        self._missing = probes
        self._totals: dict[str, int] = {}
        self._bits: dict[str, bytes] = dict.fromkeys(origins, b"")
        self._changed = threading.Condition()
        self._failed = ""
        self.first = 0.0  # when a split was first seen applied
        self.last = 0.0  # when something was last seen to be new

    def follow(self, connector: Connector, inventory: Inventory, job: str) -> None:
        """Read a probe's lines until its connector is closed."""
        folder = inventory.folder(connector.host)
        words = ["-c", PROBE.read_text(), f"{folder}/etc/wc.json", job, *self._origins]
        try:
            command = shlex.join([f"{folder}/env/bin/python", *words])
            for line in connector.stream(command, user=inventory.worker_user):
                with self._changed:
                    self._read(line)
                    self._changed.notify_all()
        except ConnectorError as error:
            with self._changed:
                self._failed = str(error)
                self._changed.notify_all()

    def _read(self, line: str) -> None:
        if line == "ready":
            self._missing -= 1
        elif line.startswith("{"):
            state: dict[str, Any] = json.loads(line)
            for origin, (total, bits) in state["origins"].items():
                if total is not None:
                    self._totals[origin] = total
                merged = bitmap.union([self._bits[origin], bytes.fromhex(bits)])
                if merged != self._bits[origin]:
                    self._bits[origin] = merged
                    self.first = self.first or state["at"]
                    self.last = max(self.last, state["at"])

    def wait_ready(self) -> None:
        """Until every probe runs. RuntimeError after READY_SECONDS, or if one cannot."""
        self._wait(lambda: self._missing == 0, READY_SECONDS, "a probe on every host")

    def wait_applied(self, seconds: float) -> float:
        """When the last split was applied on some replica. RuntimeError after ``seconds``."""
        self._wait(self._all_applied, seconds, "every split applied somewhere")
        return self.last

    def _all_applied(self) -> bool:
        counts = {origin: bitmap.count(bits) for origin, bits in self._bits.items()}
        return counts == self._totals

    def _wait(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: self._failed or done(), seconds)
        if self._failed or not came:
            raise RuntimeError(f"not within {seconds:g} s: {what}. {self._failed}".strip())


@contextmanager
def probes(bench: Bench, job: str) -> Iterator[ReplicaProbes]:
    """Probes on all hosts of the cluster, ready before the job begins."""
    inventory = load(bench.inventory)
    seen = ReplicaProbes([host.name for host in inventory.origins], len(inventory.replicas))
    with ExitStack() as stack:
        for host in inventory.replicas:
            connector = stack.enter_context(connect(inventory, host))
            threading.Thread(
                target=seen.follow, args=(connector, inventory, job), daemon=True
            ).start()
        seen.wait_ready()
        yield seen


def time_job(
    bench: Bench, job: str, *words: str, limit: float, between: Callable[[], object] | None = None
) -> JobTimes:
    """Run ``fab start-job WORDS`` to its end, and measure when all splits are applied.

    ``between`` is called then, before the job's end is awaited. RuntimeError if not every split
    was applied within ``limit`` seconds, or if the job failed.
    """
    with probes(bench, job) as seen:
        bench.fab("start-job", *words, "--name", job, "--no-wait")
        applied = seen.wait_applied(limit)
    if between is not None:
        between()
    # Attach, until it has ended.
    answer = bench.fab("start-job", "--name", job, "--top", str(WORDS), "--json")
    states = bench.states(job).values()
    created = float(next(iter(states))["created"])
    return JobTimes(
        first=seen.first - created,
        applied=applied - created,
        ended=max(float(state["outcome"]["ended"]) for state in states) - created,
        digests=frozenset(state["digest"] for state in states),
        words=json.loads(answer)["words"],
    )
