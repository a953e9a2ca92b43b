"""Adopting the origins that are away.

An origin whose replica has not answered for ``after`` seconds is adopted by the first origin
that is not away. Its manifest is on every replica or, if it was cut off from the beginning, in the
job's folder since it was planned; and where files are shared any host can read them. When it comes
back it finds its dots settled; what both have done carries the same dots.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from wc.backends.redis.replica import Replica
from wc.backends.redis.replica_set import ReplicaSet
from wc.driver.outbox import Outbox
from wc.jobs import manifest
from wc.jobs.manifest import Manifest, ManifestError
from wc.jobs.spec import JobSpec

log = logging.getLogger(__name__)


class Adoption:
    """The outboxes of origins that are away and that one host's driver has adopted."""

    def __init__(
        self,
        replicas: ReplicaSet,
        own: Replica,
        spec: JobSpec,
        after: float,
        outbox: Callable[[str, Manifest], Outbox],
        planned: Callable[[str], Manifest | None],
    ) -> None:
        self._replicas = replicas
        self._own = own
        self._spec = spec
        self._after = after
        self._outbox = outbox
        self._planned = planned
        self._without_manifest: set[str] = set()
        self.outboxes: dict[str, Outbox] = {}

    def away(self) -> set[str]:
        """The replicas that have not answered for long enough."""
        return {r.name for r in self._replicas.all if r.away_for() > self._after}

    def update(self, away: set[str]) -> set[str]:
        """Adopt the origins that are away, and let go of those that have returned. Raises
        Unavailable.

        Returns the origins to adopt whose manifest is not on this host's replica.
        """
        adopted = away.intersection(self._spec.origins) if self._is_adopter() else set()
        for origin in self.outboxes.keys() - adopted:
            log.info("%s: %s is back, its splits are its own again", self._spec.name, origin)
            del self.outboxes[origin]
        return {origin for origin in sorted(adopted) if not self._adopt(origin)}

    def _is_adopter(self) -> bool:
        """Whether this host is the first of the origins that answer."""
        present = [o for o in self._spec.origins if self._replicas.by_name[o].available()]
        return self._spec.shared and self._own.name == min(present, default="")

    def _adopt(self, origin: str) -> bool:
        known = self.outboxes.get(origin)
        try:
            found = self._manifest(origin, -1 if known is None else known.manifest.revision)
        except ManifestError as error:
            log.error("%s: %s: %s", self._spec.name, origin, error)
            return False
        if found is not None:
            self.outboxes[origin] = self._outbox(origin, found)
            self.outboxes[origin].share()
            log.warning("%s: %s is away, its splits are adopted", self._spec.name, origin)
        elif known is None:
            if origin not in self._without_manifest:
                log.warning("%s: %s is away, its manifest is not here", self._spec.name, origin)
            self._without_manifest.add(origin)
            return False
        return True

    def _manifest(self, origin: str, known: int) -> Manifest | None:
        """The origin's manifest, if it is of a later revision than the one ``known``."""
        copy = self._own.job(self._spec.name).manifest_copy(origin)
        if copy is not None:
            return manifest.unpack(copy[1]) if copy[0] > known else None
        return self._planned(origin) if known < 0 else None
