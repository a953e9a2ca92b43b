"""The output of the fault commands, and the exit code that sums it up.

With `as_json` standard output is one JSON object; lines for people then go to standard error.
"""

from __future__ import annotations

import sys
from typing import Any

from provision.connect.contract import CommandFailed
from provision.exit_codes import FAILED, UNKNOWN
from provision.output import print_json, print_text


class Console:
    """Prints what happens to each target, and collects it: `answer` is the JSON object."""

    def __init__(self, as_json: bool, **answer: Any) -> None:
        self.as_json, self.answer, self.code = as_json, answer, 0
        self._lines = sys.stderr if as_json else sys.stdout

    def print(self, line: str) -> None:
        print_text(line, self._lines)

    def add(self, key: str, entry: dict[str, Any]) -> None:
        self.answer.setdefault(key, []).append(entry)

    def fail(self, where: str, error: Exception) -> None:
        """FAILED when the target refused; UNKNOWN when it is not known what happened there."""
        reason = str(error)
        if isinstance(error, CommandFailed):
            reason = error.result.stderr.strip() or reason
        elif not isinstance(error, Refused):
            self.code = UNKNOWN
        self.code = self.code or FAILED
        self.add("errors", {"target": where, "error": reason})
        print_text(f"{where}: {reason}", sys.stderr)

    def finish(self) -> int:
        if self.as_json:
            print_json(self.answer)
        return self.code


class Refused(Exception):
    """A fault had no effect; the message says what was measured instead."""
