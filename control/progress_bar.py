"""The progress of a job: a live bar on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from control.formats import size, span
from control.job_progress import Progress

#: Seconds between two lines of one phase where the output is not a terminal.
LINE_SECONDS = 5.0


def line(progress: Progress) -> str:
    """One line of progress: phase, splits, bytes, rate, time left."""
    rate = progress.counted / progress.seconds if progress.seconds else 0.0
    left = (progress.bytes - progress.counted) / rate if rate else 0.0
    parts = [
        f"{progress.phase}: {progress.settled}/{progress.splits} splits",
        f"{size(progress.counted)} of {size(progress.bytes)}",
        f"{size(rate)}/s",
    ]
    if left > 0 and progress.phase in ("enqueueing", "counting"):
        parts.append(f"about {span(left)} left")
    parts += [f"{host} does not answer ({why})" for host, why in progress.troubles.items()]
    return ", ".join(parts)


class Reporter:
    """Shows progress. On a terminal it updates a bar; elsewhere it prints lines."""

    def __init__(self, console: Console, bar: Bar | None) -> None:
        self._console = console
        self._bar = bar
        self._task: TaskID | None = bar.add_task("", total=None) if bar else None
        self._last_line = ("", 0.0)

    def __call__(self, progress: Progress) -> None:
        text = line(progress)
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                total=max(1, progress.bytes),
                completed=progress.counted,
                description=text,
            )
            return
        if progress.phase == "waiting":  # no host has answered yet
            return
        phase, at = self._last_line
        if progress.phase != phase or time.monotonic() - at > LINE_SECONDS:
            self._last_line = (progress.phase, time.monotonic())
            self._console.print(text, highlight=False, soft_wrap=True)


@contextmanager
def reporter(console: Console) -> Iterator[Reporter]:
    """A reporter for the length of one job."""
    if console.is_terminal:
        with Bar(BarColumn(30), TextColumn("{task.description}"), console=console) as bar:
            yield Reporter(console, bar)
    else:
        yield Reporter(console, None)
