"""What one replica answers about a job: its totals, per origin. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

NO_DIGEST = "0" * 40


@dataclass(frozen=True)
class OriginStatus:
    """One origin's dots on one replica.

    ``total`` is None until its manifest is sealed, and ``revision`` and ``due`` (how many dots are
    taken back) are those of the sealed manifest; ``files`` is the revision of the manifest's copy,
    -1 without one. ``voids`` are retracted and not applied. Dots 1..``through`` are in the base.
    """

    total: int | None
    revision: int
    due: int
    high: int
    files: int
    applied: int
    retracted: int
    voids: int
    dead: int
    through: int
    digest: str

    @property
    def settled(self) -> bool:
        """Every dot is applied, dead or taken back here, and what is to be taken back is."""
        if self.total is None:
            return False
        done = self.applied + self.dead + self.voids
        return done >= self.total and self.retracted >= self.due


@dataclass(frozen=True)
class JobStatus:
    """One replica's state of a job."""

    origins: dict[str, OriginStatus]
    stats: dict[str, int]
    published: str

    @property
    def settled(self) -> bool:
        return all(origin.settled for origin in self.origins.values())

    @property
    def applied(self) -> int:
        return sum(origin.applied for origin in self.origins.values())

    @property
    def digest(self) -> str:
        """What is applied and taken back here, over all origins; equal where the contents are."""
        return ",".join(f"{name}:{o.digest}" for name, o in sorted(self.origins.items()))


def parse(text: str | bytes) -> JobStatus:
    """The reply of the function wc_status."""
    raw = json.loads(text)
    return JobStatus(
        origins={name: _origin(o) for name, o in sorted(raw["origins"].items())},
        stats={name: int(value) for name, value in raw["stats"].items()},
        published=raw["published"],
    )


def _origin(raw: dict[str, Any]) -> OriginStatus:
    digest = raw.pop("digest")
    numbers = {name: int(value) for name, value in raw.items()}
    total = numbers.pop("total")
    return OriginStatus(total=None if total < 0 else total, digest=digest, **numbers)
