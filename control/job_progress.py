"""Following a job to its end: what every origin reports, put together.

Each origin's host is followed by a thread of its own. A host that stops answering is
shown as unreachable and tried again: the job does not depend on anybody watching it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from control.cluster import Answer, Cluster, HostError
from provision.inventory.model import Host

#: Between two tries at a host that does not answer, and between two reports.
RETRY_SECONDS, REPORT_SECONDS = 1.0, 0.1
#: How long a silent origin is waited for once the job has ended on all others.
LAST_SECONDS = 10.0

#: Phases from first to last; a job is in the earliest phase of its origins.
PHASES = ("waiting", "unreachable", "enqueueing", "counting", "converging", "publishing", "done")


@dataclass
class Progress:
    """A job's progress over all origins. Bytes of input, seconds since following began."""

    origins: dict[str, Answer] = field(default_factory=dict)
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    """Origins that fell silent before they told of the job's end; the others have ended it."""

    def _sum(self, key: str) -> int:
        return sum(int(look.get(key, 0)) for look in self.origins.values())

    @property
    def splits(self) -> int:
        return self._sum("splits")

    @property
    def settled(self) -> int:
        return self._sum("applied") + self._sum("dead")

    @property
    def bytes(self) -> int:
        return self._sum("bytes")

    @property
    def counted(self) -> int:
        return self._sum("counted")

    @property
    def phase(self) -> str:
        phases = [PHASES.index(look["phase"]) for look in self.origins.values()]
        return PHASES[min(phases, default=0)]

    @property
    def troubles(self) -> dict[str, str]:
        """Origins whose host or Redis does not answer, and why."""
        return {name: look["error"] for name, look in self.origins.items() if "error" in look}

    @property
    def outcomes(self) -> dict[str, Answer]:
        return {name: look["outcome"] for name, look in self.origins.items() if "outcome" in look}

    @property
    def away(self) -> list[str]:
        """Origins without which the job has ended elsewhere."""
        known = {name for outcome in self.outcomes.values() for name in outcome["away"]}
        return sorted((known | set(self.missed)) - self.outcomes.keys())

    @property
    def silent(self) -> set[str]:
        """Origins that do not answer now, and have not told of the job's end."""
        silent = {name for name, look in self.origins.items() if look["phase"] == "unreachable"}
        return silent - self.outcomes.keys()

    @property
    def ended(self) -> bool:
        """Whether the job has ended on every origin that answers, without those that do not."""
        return self.outcomes.keys() | (self.silent & set(self.away)) == self.origins.keys()


def follow(cluster: Cluster, spec: Answer, report: Callable[[Progress], None]) -> Progress:
    """Report progress until the job has ended on every origin, but those that are away and whose
    part others have done. Ctrl-C ends the watching only."""
    progress = Progress({origin: {"phase": "waiting"} for origin in spec["origins"]})
    started = time.monotonic()
    origins = set(spec["origins"])
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_follow_origin,
            args=(cluster, cluster.inventory.host(origin), spec["name"], progress.origins, stop),
            name=f"follow-{origin}",
            daemon=True,
        )
        for origin in spec["origins"]
    ]
    for thread in threads:
        thread.start()
    try:
        waiting = started
        while any(thread.is_alive() for thread in threads) and not progress.ended:
            progress.seconds = time.monotonic() - started
            report(progress)
            # An origin ends a job when all splits are settled, those of the others included.
            if not progress.outcomes or progress.outcomes.keys() | progress.silent != origins:
                waiting = time.monotonic()
            elif time.monotonic() > waiting + LAST_SECONDS:
                progress.missed = sorted(progress.silent)
            stop.wait(REPORT_SECONDS)
    finally:
        stop.set()
    progress.seconds = time.monotonic() - started
    report(progress)
    return progress


def _follow_origin(
    cluster: Cluster, host: Host, job: str, looks: dict[str, Any], stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            for look in cluster.stream(host, "watch", "--job", job):
                # A look without an answer keeps the figures of the last one that had.
                looks[host.name] = {**looks[host.name], **look}
                if "error" not in look:
                    looks[host.name].pop("error", None)
                if look["phase"] == "done" or stop.is_set():
                    return
        except HostError as error:
            looks[host.name] |= {"phase": "unreachable", "error": error.reason}
        stop.wait(RETRY_SECONDS)
