"""Names of the Redis keys. The schema itself stands at the top of lua/schema.lua.

Every key of a job carries the hash tag ``{job}``, so that all of them fall in one
slot; the registry of jobs has keys of its own under ``wc:``.
"""

from __future__ import annotations

from collections.abc import Collection

#: hash: job name -> specification (JSON)
REGISTRY = "wc:jobs"
#: set: names of jobs that still have work
OPEN = "wc:open"
#: hash: name of a deleted job -> its origins (JSON)
DELETED = "wc:deleted"
#: stream: an entry whenever a job opens; idle workers block on it
WAKE = "wc:wake"
#: hash: HOST -> what that host's background repair has done, on its own replica (JSON)
REPAIR = "wc:repair"

GROUP = "workers"


class JobKeys:
    """One job's keys: attributes for the job as a whole, methods for one origin."""

    def __init__(self, job: str) -> None:
        self._tag = "{" + job + "}"
        self.manifest = self._key("manifest")
        self.files = self._key("files")
        self.digest = self._key("digest")
        self.voids = self._key("voids")
        self.bases = self._key("bases")
        self.latency = self._key("latency")
        self.errors = self._key("errors")
        self.dead = self._key("dead")
        self.stats = self._key("stats")
        self.pace = self._key("pace")
        self.counts = self._key("counts")
        self.published = self._key("published")
        self.extent = self._key("extent")
        self.sum = self._key("sum")

    def _key(self, *parts: str) -> str:
        return ":".join((self._tag, *parts))

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

    def all(self, origins: Collection[str]) -> list[str]:
        """Every key that the job may have, temporary ones as well."""
        whole = [self.manifest, self.files, self.digest, self.voids, self.bases, self.latency]
        whole += [self.errors, self.dead, self.stats, self.pace, self.counts, self.published]
        whole += [self.extent, self.sum]
        for origin in origins:
            whole += [self.tasks(origin), self.started(origin), self.copies(origin)]
            whole += [self.applied(origin), self.retracted(origin), self.deltas(origin)]
            whole += [self.negatives(origin), self.taken(origin), self.base(origin)]
            whole += [self.publishing(origin), self.staged(origin)]
        return whole

    # Temporary.

    def publishing(self, who: str) -> str:
        """The sorted set that one publisher fills before the rename."""
        return self._key("publishing", who)

    def staged(self, origin: str) -> str:
        """A base within the transaction that puts it in place."""
        return self._key("staged", origin)
