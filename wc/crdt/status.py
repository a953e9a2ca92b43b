"""A replica's status of a job, by origin: the reply of the Redis function wc_status. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

NO_DIGEST = "0" * 40


@dataclass(frozen=True)
class OriginStatus:
    """One origin's dots on one replica: numbers of dots, unless stated otherwise.

    ``total``, ``revision`` and ``retracted_total`` are what the sealed manifest says: its splits,
    its revision, its retracted splits; ``total`` is None until it is sealed. ``high`` is the
    highest seq that was enqueued here. ``copied_revision`` is the revision of the manifest's copy
    here, -1 without one. Dots 1..``through`` are in the base.
    """

    total: int | None
    revision: int
    retracted_total: int
    high: int
    copied_revision: int
    applied: int
    retracted: int
    retracted_unapplied: int
    dead: int
    through: int
    digest: str

    @property
    def live_total(self) -> int | None:
        """The splits whose files count; None until the manifest is sealed."""
        return None if self.total is None else self.total - self.retracted_total

    @property
    def live_applied(self) -> int:
        """Of these, those applied here."""
        return self.applied - (self.retracted - self.retracted_unapplied)

    @property
    def settled(self) -> bool:
        """Every dot is applied, dead or retracted here, and all that are to be retracted are."""
        if self.total is None:
            return False
        done = self.applied + self.dead + self.retracted_unapplied
        return done >= self.total and self.retracted >= self.retracted_total


@dataclass(frozen=True)
class JobStatus:
    """One replica's state of a job. ``attempts`` says of each origin how often its dead splits
    were put back."""

    origins: dict[str, OriginStatus]
    stats: dict[str, int]
    published: str
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        return all(origin.settled for origin in self.origins.values())

    @property
    def comparable(self) -> list[tuple[Any, ...]]:
        """What is equal where two replicas have nothing to give to each other."""
        return [
            (
                name,
                o.digest,
                o.total,
                o.revision,
                o.retracted_total,
                o.copied_revision,
                o.dead,
                self.attempts.get(name, 0),
            )
            for name, o in self.origins.items()
        ]

    @property
    def applied(self) -> int:
        return sum(origin.applied for origin in self.origins.values())

    @property
    def digest(self) -> str:
        """The digests of all origins: equal where the applied and retracted dots are."""
        return ",".join(f"{name}:{o.digest}" for name, o in sorted(self.origins.items()))


def parse(text: str | bytes) -> JobStatus:
    """The reply of the function wc_status."""
    raw = json.loads(text)
    return JobStatus(
        origins={name: _origin(o) for name, o in sorted(raw["origins"].items())},
        stats={name: int(value) for name, value in raw["stats"].items()},
        published=raw["published"],
        # An earlier version's library has none.
        attempts={name: int(number) for name, number in raw.get("attempts", {}).items()},
    )


def _origin(raw: dict[str, Any]) -> OriginStatus:
    digest = raw.pop("digest")
    numbers = {name: int(value) for name, value in raw.items()}
    total = numbers.pop("total")
    return OriginStatus(
        total=None if total < 0 else total,
        retracted_total=numbers.pop("due"),
        copied_revision=numbers.pop("files"),
        retracted_unapplied=numbers.pop("voids"),
        digest=digest,
        **numbers,
    )
