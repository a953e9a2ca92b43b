"""Names of the Redis keys. The schema itself stands at the top of lua/wc.lua.

Every key of a job carries the hash tag ``{job}``, so that all of them fall in one
slot; the registry of jobs has keys of its own under ``wc:``.
"""

from __future__ import annotations

from dataclasses import dataclass

#: hash: job name -> specification (JSON)
REGISTRY = "wc:jobs"
#: set: names of jobs that still have work
OPEN = "wc:open"
#: stream: an entry whenever a job opens; idle workers block on it
WAKE = "wc:wake"

GROUP = "workers"


@dataclass(frozen=True)
class JobKeys:
    """The keys of one job."""

    job: str

    def _key(self, *parts: str) -> str:
        return ":".join(("{" + self.job + "}", *parts))

    @property
    def tasks(self) -> str:
        return self._key("tasks")

    @property
    def manifest(self) -> str:
        return self._key("manifest")

    @property
    def digest(self) -> str:
        return self._key("digest")

    @property
    def latency(self) -> str:
        return self._key("latency")

    @property
    def errors(self) -> str:
        return self._key("errors")

    @property
    def dead(self) -> str:
        return self._key("dead")

    @property
    def stats(self) -> str:
        return self._key("stats")

    @property
    def started(self) -> str:
        return self._key("started")

    @property
    def pace(self) -> str:
        return self._key("pace")

    @property
    def copies(self) -> str:
        return self._key("copies")

    @property
    def counts(self) -> str:
        return self._key("counts")

    @property
    def published(self) -> str:
        return self._key("published")

    def applied(self, origin: str) -> str:
        return self._key("applied", origin)

    def deltas(self, origin: str) -> str:
        return self._key("deltas", origin)

    def publishing(self, who: str) -> str:
        """The temporary sorted set that one publisher fills before the rename."""
        return self._key("publishing", who)
