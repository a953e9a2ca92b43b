"""A job's results on one replica: typed calls of the functions in lua/wc.lua."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from wc.keys import JobKeys


class Commit(NamedTuple):
    """One split's result: ``entry`` is its stream id at the origin, ``delta`` its packed counts."""

    seq: int
    entry: str
    delta: bytes


@dataclass(frozen=True)
class OriginStatus:
    """One origin's dots on one replica. ``total`` is None until its manifest is sealed."""

    total: int | None
    high: int
    applied: int
    dead: int
    digest: str

    @property
    def settled(self) -> bool:
        """Every dot is applied or dead here."""
        return self.total is not None and self.applied + self.dead >= self.total


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
        """What is applied here, over all origins; equal where the contents are."""
        return ",".join(f"{name}:{o.digest}" for name, o in sorted(self.origins.items()))


class JobStore:
    """One job on one replica. Calls raise what redis-py raises."""

    def __init__(self, client: redis.Redis, job: str) -> None:
        self._redis: Any = client
        self.keys = JobKeys(job)

    def commit(self, origin: str, commits: Iterable[Commit], *, settle: bool) -> list[bool]:
        """Apply new dots; with ``settle`` (on the origin's own replica) end their leases too.

        One bool a dot: applied now, or a duplicate.
        """
        keys = self.keys
        args: list[Any] = [origin]
        for seq, entry, delta in commits:
            args += (seq, entry if settle else "", delta)
        names = [keys.applied(origin), keys.deltas(origin), keys.digest, keys.dead]
        names += [keys.latency, keys.stats, keys.tasks, keys.started, keys.pace, keys.copies]
        return [bool(x) for x in self._redis.fcall("wc_commit", len(names), *names, *args)]

    def apply(self, origin: str, deltas: Iterable[tuple[int, bytes]]) -> list[bool]:
        """Apply dots that another replica has. One bool a dot, as ``commit``."""
        keys = self.keys
        names = [keys.applied(origin), keys.deltas(origin), keys.digest, keys.dead]
        args: list[Any] = [origin]
        for seq, delta in deltas:
            args += (seq, delta)
        return [bool(x) for x in self._redis.fcall("wc_apply", len(names), *names, *args)]

    def seal(self, origin: str, total: int) -> None:
        """Declare the origin's manifest complete. ResponseError if sealed otherwise."""
        self._redis.fcall("wc_seal", 1, self.keys.manifest, origin, total)

    def status(self, origins: Sequence[str]) -> JobStatus:
        keys = self.keys
        names = [keys.manifest, keys.digest, keys.dead, keys.stats, keys.published]
        names += [keys.applied(origin) for origin in origins]
        raw = json.loads(self._redis.fcall_ro("wc_status", len(names), *names, *origins))
        return JobStatus(
            origins={
                name: OriginStatus(
                    total=None if o["total"] < 0 else int(o["total"]),
                    high=int(o["high"]),
                    applied=int(o["applied"]),
                    dead=int(o["dead"]),
                    digest=o["digest"],
                )
                for name, o in sorted(raw["origins"].items())
            },
            stats={name: int(value) for name, value in raw["stats"].items()},
            published=raw["published"],
        )

    def bitmap(self, origin: str) -> bytes:
        """The applied dots: bit ``seq``, most significant bit of a byte first."""
        return self._redis.get(self.keys.applied(origin)) or b""

    def has(self, origin: str, seqs: Sequence[int]) -> list[bool]:
        pipe = self._redis.pipeline(transaction=False)
        for seq in seqs:
            pipe.getbit(self.keys.applied(origin), seq)
        return [bool(bit) for bit in pipe.execute()]

    def deltas(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        if not seqs:
            return []
        return list(self._redis.hmget(self.keys.deltas(origin), seqs))

    def dead(self) -> dict[str, Any]:
        """ORIGIN/seq -> why the split was given up."""
        raw = self._redis.hgetall(self.keys.dead)
        return {dot.decode(): json.loads(error) for dot, error in raw.items()}

    def bury(self, origin: str, dead: dict[int, Any]) -> None:
        """Tell this replica of splits given up elsewhere: seq -> why."""
        args: list[Any] = [origin]
        for seq, error in dead.items():
            args += (seq, json.dumps(error))
        self._redis.fcall("wc_bury", 2, self.keys.dead, self.keys.applied(origin), *args)

    def revive(self, origin: str) -> int:
        """Forget which of the origin's splits were given up, and why; how many there were."""
        mine = [
            dot
            for dot in self._redis.hkeys(self.keys.dead)
            if dot.startswith(f"{origin}/".encode())
        ]
        if mine:
            pipe = self._redis.pipeline(transaction=True)
            pipe.hdel(self.keys.dead, *mine)
            pipe.hdel(self.keys.errors, *mine)
            pipe.execute()
        return len(mine)

    def waste(self, seconds: float) -> None:
        """Note work that came to nothing, because someone else had committed first."""
        self._redis.hincrby(self.keys.stats, "wasted_ms", round(seconds * 1000))

    def latencies(self) -> list[float]:
        """Seconds from enqueue to commit of the splits that this replica's host enqueued."""
        return [float(value) for value in self._redis.hgetall(self.keys.latency).values()]
