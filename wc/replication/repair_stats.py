"""Statistics of a host's background repair, kept on its own replica for `status` and people.

One field of a hash, one JSON object: {"at", "rounds", "compared", "missing", "copied", "dropped",
"bytes", "seconds", "last"}. The counts are totals since the program began, in dots and bytes;
"seconds" is the time its rounds took; "at" the time of the last round written, in seconds since
1970; and "last" has that round's own counts.

Every write makes a Redis save itself at its next checkpoint, so a round that found nothing to do
is not worth one: it is counted with the next round that is written.
"""

from __future__ import annotations

import json
import time
from typing import Any

from wc.backends.api import JobRegistry
from wc.replication.read_repair import Report

#: Of a repair's report, what is summed.
COUNTS = ("compared", "missing", "copied", "dropped", "bytes")


class RepairStats:
    """Sums rounds, and writes them down for ``host``."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._rounds = 0
        self._seconds = 0.0
        self._totals = dict.fromkeys(COUNTS, 0)
        self._text = ""

    def add(self, reports: list[Report], seconds: float) -> dict[str, Any]:
        """Add a round that took so long, with the report of each job that was repaired. Returns its
        counts."""
        found = {name: sum(getattr(report, name) for report in reports) for name in COUNTS}
        self._rounds += 1
        self._seconds += seconds
        for name, count in found.items():
            self._totals[name] += count
        if found["missing"] or not self._text:
            self._text = json.dumps(
                {
                    "at": round(time.time(), 3),
                    "rounds": self._rounds,
                    **self._totals,
                    "seconds": round(self._seconds, 3),
                    "last": found | {"seconds": round(seconds, 3)},
                }
            )
        return found

    def write(self, registry: JobRegistry) -> None:
        """Write them, unless they are there: a Redis that came back older has older ones."""
        registry.keep_repair_facts(self._host, self._text)
