"""The stages of a site carried out on one host, or with `check` only reported.

Both go through the same generators and the same counting; they differ in one branch of `_perform`.
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
    """`actions` makes actions of facts. `gather_again`: facts are gathered anew after a change."""

    actions: Callable[[Facts], Iterator[Action]]
    gather_again: bool = False


@dataclass(frozen=True)
class Options:
    """`check`: change nothing, only report. `diff`: show how files differ."""

    check: bool = False
    diff: bool = False


class Plan:
    """Carries out stages on one host. `gather` gets the host's facts; pending restarts are files in
    `pending_folder`."""

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
        """Carry out all stages, counting into `tally`.

        Raises ConnectorError or Refused at the first action that fails.
        """
        for stage in stages:
            actions = list(stage.actions(facts))
            todo = [action for action in actions if not isinstance(action, NoOp)]
            tally.ok += len(actions) - len(todo)
            restarts = {name for action in todo for name in action.notify}
            if restarts and not self.options.check:
                self._add_pending(sorted(restarts))
            for action in todo:
                self._perform(action)
                tally.changed += 1
            if todo and stage.gather_again and not self.options.check:
                facts = self.gather()
            elif todo:
                facts = replace(facts, pending=facts.pending | restarts, stale=True)

    def _add_pending(self, names: Sequence[str]) -> None:
        """Note on the host which programs must restart, before the files that they read change."""
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
            f"{action.path} (after provisioning)",
        )
        return "".join(lines)
