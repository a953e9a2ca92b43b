"""Planning: which files a job counts, as the hosts that will read them see it now."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from control.cluster import Answer, Cluster, HostError
from control.deal_files import Row
from provision.connect.hosts import answers
from provision.inventory.model import Host

#: Seconds that a plan may take; a million files take one minute of a busy machine.
PLAN_SECONDS = 3600.0
#: Seconds between two looks at how far it is, and between two reports of that.
POLL_SECONDS, REPORT_SECONDS = 0.7, 5.0


def plan(
    cluster: Cluster,
    pattern: str,
    tokenizer: str,
    shared: bool,
    *,
    none_ok: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, list[Row]]:
    """The files that match now, by origin; one origin's listing where files are shared.

    ``report`` is told in words how far it is, while that takes long. Raises HostError.
    """
    origins = cluster.inventory.origins
    words = ["plan", "--input", pattern, "--tokenizer", tokenizer]
    words += ["--none-ok"] if none_ok or not shared else []

    def ask(host: Host) -> Answer:
        return cluster.ask(host, *words, timeout=PLAN_SECONDS)

    gc.disable()  # of a list of a million files it takes longer than to read it, and finds nothing
    try:
        with _reporting(cluster, origins, report):
            if shared:
                found = cluster.first(ask, origins)
                return {str(found["host"]): found["files"]}
            answered = answers(cluster.on_all(ask, origins))
            return {name: answer["files"] for name, answer in answered.items()}
    finally:
        gc.enable()


@contextmanager
def _reporting(
    cluster: Cluster, hosts: Iterable[Host], report: Callable[[str], None]
) -> Iterator[None]:
    stop = threading.Event()

    def poll() -> None:
        reported = 0.0
        while not stop.wait(POLL_SECONDS):
            found = cluster.on_all(lambda host: cluster.ask(host, "planning"), hosts)
            # A host of an earlier version knows no such command.
            seen = [a["files"] for a in found.values() if not isinstance(a, HostError)]
            counts = [count for count in seen if count is not None]
            # A host whose plan is made has begun to send it.
            now = f"{sum(counts):,} files so far" if counts else "the list is on its way"
            due = time.monotonic() - reported >= REPORT_SECONDS
            if due and (counts or reported) and not stop.is_set():
                reported = time.monotonic()
                report(f"planning: {now}")

    thread = threading.Thread(target=poll, name="planning", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
