"""The progress of a job over all its origins, followed until the job ends.

A thread follows each origin's host. A host that stops answering is shown as unreachable and tried
again: the job does not depend on anybody watching it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from control.cluster import Answer, Cluster, HostError
from control.jobs.job_state import JobState, ask, job_state, merge_troubles
from provision.exit_codes import CommandError
from provision.inventory.model import Host

#: Seconds between two tries at a host that does not answer, and between two reports.
RETRY_SECONDS, REPORT_SECONDS = 1.0, 0.1
#: A job on which nothing has changed for so many seconds is asked what it waits for, as often.
STATE_SECONDS = 3.0
#: How many seconds an origin that does not answer is waited for, once the job ended on all others.
LAST_SECONDS = 10.0

#: The phases of an origin, in order; a job is in the earliest phase of its origins.
PHASES = ("waiting", "unreachable", "enqueueing", "counting", "converging", "publishing", "done")


class JobDeleted(CommandError):
    """The job that was followed is no more."""

    kind = "job"


@dataclass
class Progress:
    """A job's progress over all origins: bytes of input, and seconds since following began."""

    origins: dict[str, Answer] = field(default_factory=dict)
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)
    """Origins that stopped answering before they reported the job's end; all others reported it."""
    deleted: bool = False
    """Whether a host says that the job was deleted."""
    counted_before: int | None = 0
    """Bytes that had been counted when following began; None until all origins have answered."""
    state: JobState | None = None
    """The state of the whole job, once nothing has changed for a while."""

    def _sum(self, key: str) -> int:
        return sum(int(origin.get(key, 0)) for origin in self.origins.values())

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
    def had_ended(self) -> bool:
        """Whether the job had ended on all origins before following began."""
        return all(origin.get("had_ended") for origin in self.origins.values())

    @property
    def rate(self) -> float:
        """Bytes counted a second since following began; 0.0 where it is not known."""
        if self.counted_before is None or not self.seconds:
            return 0.0
        return max(0, self.counted - self.counted_before) / self.seconds

    @property
    def phase(self) -> str:
        phases = [PHASES.index(origin["phase"]) for origin in self.origins.values()]
        return PHASES[min(phases, default=0)]

    @property
    def figures(self) -> tuple[str, int, int]:
        """What changes as long as the job goes on."""
        return self.phase, self.settled, self.counted

    @property
    def troubles(self) -> dict[str, str]:
        """Origins whose host or Redis does not answer, and why."""
        return {name: o["error"] for name, o in self.origins.items() if "error" in o}

    @property
    def waits(self) -> dict[str, str]:
        """What a host's driver or workers wait for, and why: replicas that refuse a call, say."""
        running = {name: o for name, o in self.origins.items() if "outcome" not in o}
        return merge_troubles({name: o.get("troubles", {}) for name, o in running.items()})

    @property
    def outcomes(self) -> dict[str, Answer]:
        return {name: o["outcome"] for name, o in self.origins.items() if "outcome" in o}

    @property
    def away(self) -> list[str]:
        """Origins without which the others ended the job: they did not answer, or their Redis took
        no writes."""
        away = {name for outcome in self.outcomes.values() for name in outcome["away"]}
        return sorted((away | set(self.missed)) - self.outcomes.keys())

    @property
    def silent(self) -> set[str]:
        """Origins that do not answer now and have not reported the job's end."""
        silent = {name for name, o in self.origins.items() if o["phase"] == "unreachable"}
        return silent - self.outcomes.keys()

    @property
    def ended(self) -> bool:
        """Whether every origin has reported the job's end, or is away and does not answer."""
        return self.outcomes.keys() | (self.silent & set(self.away)) == self.origins.keys()


def follow(
    cluster: Cluster, spec: Answer, report: Callable[[Progress], None], *, anew: bool = True
) -> Progress:
    """Report progress until the job has ended on every origin that answers.

    ``anew``: whether the job has just started, so that all that is counted was counted since.
    Origins that are away do not delay the end: others adopt their splits. Ctrl-C ends the
    following, not the job. Raises JobDeleted.
    """
    progress = Progress({origin: {"phase": "waiting"} for origin in spec["origins"]})
    progress.counted_before = 0 if anew else None
    started = time.monotonic()
    origins = set(spec["origins"])
    stop, ended = threading.Event(), threading.Event()
    figures, changed = progress.figures, started

    def ask_state() -> None:
        while not stop.wait(STATE_SECONDS):
            if time.monotonic() - changed >= STATE_SECONDS:
                progress.state = job_state(spec["name"], ask(cluster, spec["name"]))

    def follow_origin(origin: str) -> None:
        host = cluster.inventory.host(origin)
        _follow_origin(cluster, host, spec["name"], progress, stop)
        ended.set()

    threads = [
        threading.Thread(target=follow_origin, args=(o,), name=f"follow-{o}", daemon=True)
        for o in spec["origins"]
    ]
    for thread in [*threads, threading.Thread(target=ask_state, name="ask-state", daemon=True)]:
        thread.start()
    try:
        waiting = started
        while any(thread.is_alive() for thread in threads) and not (
            progress.ended or progress.deleted
        ):
            progress.seconds = time.monotonic() - started
            if progress.counted_before is None and progress.phase != "waiting":
                progress.counted_before, started = progress.counted, time.monotonic()
            if progress.figures != figures:
                figures, changed, progress.state = progress.figures, time.monotonic(), None
            report(progress)
            # One outcome is enough: a job ends when the splits of all origins are settled.
            if not progress.outcomes or progress.outcomes.keys() | progress.silent != origins:
                waiting = time.monotonic()
            elif time.monotonic() > waiting + LAST_SECONDS:
                progress.missed = sorted(progress.silent)
            ended.wait(REPORT_SECONDS)
            ended.clear()
    finally:
        stop.set()
    if progress.deleted:
        raise JobDeleted(f"job {spec['name']}: it was deleted (fab delete-job or cancel-job)")
    progress.state = None
    progress.seconds = time.monotonic() - started
    report(progress)
    return progress


def _follow_origin(
    cluster: Cluster, host: Host, job: str, progress: Progress, stop: threading.Event
) -> None:
    origins = progress.origins
    while not stop.is_set():
        try:
            for update in cluster.stream(host, "watch", "--job", job):
                if update["phase"] == "deleted":
                    progress.deleted = True
                    return
                # An update of a host whose Redis does not answer has no figures: keep the last.
                had_ended = {"had_ended": update["phase"] == "done"}
                origins[host.name] = {**had_ended, **origins[host.name], **update}
                if "error" not in update:
                    origins[host.name].pop("error", None)
                if update["phase"] == "done" or stop.is_set():
                    return
        except HostError as error:
            origins[host.name] |= {"phase": "unreachable", "error": error.reason, "troubles": {}}
        stop.wait(RETRY_SECONDS)
