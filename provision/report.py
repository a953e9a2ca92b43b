"""The output of provision and destroy: the changes on each host, and a recap at the end.

On a terminal one live line for each host, with changes printed above; elsewhere plain lines. With
`--json` standard output carries the JSON object alone, so all of this goes to standard error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from provision.output import print_json

STYLES = {
    "note": "yellow",
    "would": "yellow",
    "changed": "yellow",
    "failed": "bold red",
    "ok": "green",
}


@dataclass
class Tally:
    """Counts of one host's actions; `error` is the first failure's message."""

    ok: int = 0
    changed: int = 0
    failed: int = 0
    error: str = ""

    def fail(self, error: object) -> None:
        self.failed += 1
        self.error = self.error or str(error)


class Reporter:
    """Shows events of several hosts at once. A context manager; safe for threads."""

    def __init__(self, hosts: Iterable[str], *, to_stderr: bool = False) -> None:
        self.console = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._hosts = list(hosts)
        self.notes: list[str] = []

    def __enter__(self) -> Reporter:
        if self.console.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self.console, transient=True)
            self._rows = {h: self._progress.add_task(h, total=None) for h in self._hosts}
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def event(self, host: str, kind: str, text: str, detail: str = "") -> None:
        """`kind`: begin (only shown live), would, changed, failed, ok."""
        with self._lock:
            if self._progress is not None and host in self._rows:
                self._progress.update(self._rows[host], description=f"{host}: {escape(text)}")
            if kind == "begin":
                return
            style = STYLES[kind]
            self.console.print(f"[{style}]{kind:8}[/] {host}: {escape(text)}")
            if detail:
                self.console.print(escape(detail.rstrip("\n")))

    def note(self, text: str) -> None:
        """What concerns no host's tally, and a person should know."""
        self.notes.append(text)
        with self._lock:
            self.console.print(f"[yellow]note    [/] {escape(text)}")

    def recap(self, tallies: dict[str, Tally]) -> None:
        """One line for each host, in the form of Ansible's recap."""
        width = max((len(name) for name in tallies), default=0)
        for name, tally in tallies.items():
            style = "failed" if tally.failed else "changed" if tally.changed else "ok"
            self.console.print(
                f"[{STYLES[style]}]{name:{width}}[/]  ok={tally.ok:<3} changed={tally.changed:<3}"
                f" failed={tally.failed}"
            )


def print_recap(tallies: dict[str, Tally], notes: list[str]) -> None:
    """The recap as one JSON object on standard output; it has "notes" if there are any."""
    hosts = {
        name: {"ok": tally.ok, "changed": tally.changed, "failed": tally.failed}
        | ({"error": tally.error} if tally.error else {})
        for name, tally in tallies.items()
    }
    print_json({"hosts": hosts} | ({"notes": notes} if notes else {}))
