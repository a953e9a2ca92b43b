"""Names of the Redis keys. The schema itself stands at the top of lua/schema.lua.

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
#: hash: HOST -> what that host's background repair has done, on its own replica (JSON)
REPAIR = "wc:repair"

GROUP = "workers"


@dataclass(frozen=True)
class JobKeys:
    """The keys of one job."""

    job: str

    def _key(self, *parts: str) -> str:
        return ":".join(("{" + self.job + "}", *parts))

    # Of the job as a whole.

    @property
    def manifest(self) -> str:
        return self._key("manifest")

    @property
    def files(self) -> str:
        return self._key("files")

    @property
    def digest(self) -> str:
        return self._key("digest")

    @property
    def voids(self) -> str:
        return self._key("voids")

    @property
    def bases(self) -> str:
        return self._key("bases")

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
    def pace(self) -> str:
        return self._key("pace")

    @property
    def counts(self) -> str:
        return self._key("counts")

    @property
    def published(self) -> str:
        return self._key("published")

    @property
    def sum(self) -> str:
        return self._key("sum")

    # Of one origin.

    def tasks(self, origin: str) -> str:
        return self._key("tasks", origin)

    def started(self, origin: str) -> str:
        return self._key("started", origin)

    def copies(self, origin: str) -> str:
        return self._key("copies", origin)

    def applied(self, origin: str) -> str:
        return self._key("applied", origin)

    def retracted(self, origin: str) -> str:
        return self._key("retracted", origin)

    def deltas(self, origin: str) -> str:
        return self._key("deltas", origin)

    def negatives(self, origin: str) -> str:
        return self._key("negatives", origin)

    def taken(self, origin: str) -> str:
        return self._key("taken", origin)

    def base(self, origin: str) -> str:
        return self._key("base", origin)

    def results(self, origin: str) -> list[str]:
        """The keys of an origin's results, as the functions take them."""
        return [
            self.applied(origin),
            self.retracted(origin),
            self.deltas(origin),
            self.negatives(origin),
            self.taken(origin),
            self.base(origin),
            self.bases,
            self.voids,
            self.digest,
            self.dead,
        ]

    # Temporary.

    def publishing(self, who: str) -> str:
        """The sorted set that one publisher fills before the rename."""
        return self._key("publishing", who)

    def staged(self, origin: str) -> str:
        """A base within the transaction that puts it in place."""
        return self._key("staged", origin)
