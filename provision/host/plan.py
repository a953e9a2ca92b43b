"""Carry out a site's stages on one host, or with `check` only tell what they would do.

One runner for both: the same generators, the same order, the same counting. What differs is one
branch in `_perform`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from provision.connect.contract import CommandFailed, Connector
from provision.host.actions import Action, Command, NoOp, Put
from provision.host.facts import Facts
from provision.report import Reporter, Tally


@dataclass(frozen=True)
class Stage:
    """`actions` come from facts; with `ask_again` a change makes the host be asked anew after."""

    actions: Callable[[Facts], Iterator[Action]]
    ask_again: bool = False


@dataclass(frozen=True)
class Options:
    """`check`: change nothing. `diff`: show how files differ."""

    check: bool = False
    diff: bool = False


class Plan:
    """The stages of one host. `gather` asks the host for its facts."""

    def __init__(
        self,
        connector: Connector,
        gather: Callable[[], Facts],
        pending_folder: str,
        options: Options,
        reporter: Reporter,
    ) -> None:
        self.connector, self.gather, self.options = connector, gather, options
        self.pending_folder = pending_folder
        self.reporter = reporter
        self.name = connector.host.name

    def apply(self, stages: Sequence[Stage], facts: Facts, tally: Tally) -> None:
        """Run all stages, counting into `tally`. Raises at the first action that fails."""
        for stage in stages:
            actions = list(stage.actions(facts))
            todo = [action for action in actions if not isinstance(action, NoOp)]
            tally.ok += len(actions) - len(todo)
            notes = {name for action in todo for name in action.notify}
            if notes and not self.options.check:
                self._note_pending(sorted(notes))
            for action in todo:
                self._perform(action)
                tally.changed += 1
            if todo and stage.ask_again and not self.options.check:
                facts = self.gather()
            elif todo:
                facts = replace(facts, pending=facts.pending | notes, stale=True)

    def _note_pending(self, names: Sequence[str]) -> None:
        """Leave word on the host of what must restart, before the files that ask for it change."""
        paths = " ".join(f"{self.pending_folder}/{name}" for name in names)
        self.connector.run(f"mkdir -p {self.pending_folder} && touch {paths}")

    def _perform(self, action: Action) -> None:
        detail = self._difference(action) if self.options.diff else ""
        if self.options.check:
            self.reporter.event(self.name, "would", action.why, detail)
            return
        self.reporter.event(self.name, "begin", action.why)
        if isinstance(action, Command):
            self.connector.run(
                action.command,
                stdin=action.stdin,
                outside=action.outside,
                timeout=action.timeout,
            )
        elif isinstance(action, Put):
            self.connector.put(
                action.content,
                action.path,
                owner=action.owner,
                group=action.group,
                mode=action.mode,
            )
        self.reporter.event(self.name, "changed", action.why, detail)

    def _difference(self, action: Action) -> str:
        if not isinstance(action, Put):
            return ""
        if action.secret:
            return "(its content is a secret and not shown)\n"
        try:
            new = action.content.decode()
        except UnicodeDecodeError:
            return f"({len(action.content)} bytes)\n"
        try:
            old = self.connector.get(action.path).decode("utf-8", "replace")
        except CommandFailed:  # there is none yet
            old = ""
        lines = difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            f"{action.path} (on {self.name})",
            f"{action.path} (wanted)",
        )
        return "".join(lines)
