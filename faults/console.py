"""What fault commands say, and the exit code that sums it up.

With `as_json` standard output is one JSON object; words for people then go to standard error.
"""

from __future__ import annotations

import sys
from typing import Any

from provision.connect.contract import CommandFailed
from provision.exit_codes import FAILED, UNKNOWN
from provision.output import print_json


class Console:
    """Collects what happened to each target. `answer` is the JSON object."""

    def __init__(self, as_json: bool, **answer: Any) -> None:
        self.as_json, self.answer, self.code = as_json, answer, 0
        self._words = sys.stderr if as_json else sys.stdout

    def say(self, line: str) -> None:
        self._words.write(f"{line}\n")
        self._words.flush()

    def add(self, key: str, entry: dict[str, Any]) -> None:
        self.answer.setdefault(key, []).append(entry)

    def fail(self, where: str, error: Exception) -> None:
        """FAILED when the target refused; UNKNOWN when it is not known what happened there."""
        said = str(error)
        if isinstance(error, CommandFailed):
            said = error.result.stderr.strip() or said
        elif not isinstance(error, Refused):
            self.code = UNKNOWN
        self.code = self.code or FAILED
        self.add("errors", {"target": where, "error": said})
        sys.stderr.write(f"{where}: {said}\n")

    def finish(self) -> int:
        if self.as_json:
            print_json(self.answer)
        return self.code


class Refused(Exception):
    """A fault did not have its effect; the message says what was seen instead."""
