"""The progress of a job: a live bar on a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from control.formats import plural, size, span
from control.jobs.job_progress import Progress

#: Seconds between two lines of one phase where the output is not a terminal.
LINE_SECONDS = 5.0


def line(progress: Progress) -> str:
    """One line of progress: phase, splits, bytes, rate, time left."""
    rate = progress.rate
    left = (progress.bytes - progress.counted) / rate if rate else 0.0
    state = progress.state
    parts = [
        f"{state.state if state else progress.phase}: {progress.settled}/"
        f"{plural(progress.splits, 'split')}",
        f"{size(progress.counted)} of {size(progress.bytes)}",
    ]
    if rate:
        parts.append(f"{size(rate)}/s")
    if left > 0 and progress.phase in ("enqueueing", "counting"):
        parts.append(f"about {span(left)} left")
    if state and state.waits_for:
        parts.append(f"waits for {'; '.join(state.waits_for)}")
    else:
        parts += [f"{host} does not answer ({why})" for host, why in progress.troubles.items()]
        parts += [f"{who}: {why}" for who, why in progress.waits.items()]
    return ", ".join(parts)


class Lines:
    """Prints a line of progress in each phase, and now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last_line = ("", 0.0)

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "waiting":  # no host has answered yet
            return
        phase, at = self._last_line
        if progress.phase != phase or time.monotonic() - at > LINE_SECONDS:
            self._last_line = (progress.phase, time.monotonic())
            print(line(progress), file=self._out, flush=True)


@contextmanager
def activity() -> Iterator[Callable[[str], None]]:
    """What shows, on standard error, what a command is doing: in place on a terminal, and elsewhere
    a line now and then, if it lasts."""
    out = sys.stderr
    if out.isatty():
        from rich.console import Console  # noqa: PLC0415 - as below

        with Console(file=out, highlight=False, markup=False).status("") as live:
            yield live.update
        return
    printed = time.monotonic()

    def show(text: str) -> None:
        nonlocal printed
        if time.monotonic() - printed > LINE_SECONDS:
            printed = time.monotonic()
            print(text, file=out, flush=True)

    yield show


@contextmanager
def reporter(out: TextIO) -> Iterator[Callable[[Progress], None]]:
    """What shows the progress of one job: a bar on a terminal, else lines."""
    if not out.isatty():
        yield Lines(out)
        return
    # Only a terminal needs these, which take long to import.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = BarColumn(30), TextColumn("{task.description}", markup=False)
    with Bar(*columns, console=Console(file=out)) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            total = max(1, progress.bytes)
            bar.update(task, total=total, completed=progress.counted, description=line(progress))

        yield show
