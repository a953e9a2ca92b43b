"""A job's results on one replica: typed calls of the functions in lua/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import redis

from wc.backends.redis.keys import JobKeys
from wc.core import bitmap
from wc.crdt import status
from wc.crdt.dot_sets import Holding
from wc.crdt.status import NO_DIGEST, JobStatus

#: From this size on a delta is not an argument of a function, which would copy it twice; how much
#: of it is one all the same: version and checksum (docs/delta-format.md).
LARGE_BYTES, HEAD_BYTES = 1 << 16, 20
#: Deltas that are forgotten in one call after they were folded into a base.
TRIM_DOTS = 200
#: Deltas that Redis looks at to tell how much memory all take.
SAMPLES = 50


class Commit(NamedTuple):
    """One split's result: ``entry`` is its stream id at its queue, ``delta`` its packed counts."""

    seq: int
    entry: str
    delta: bytes


class JobStore:
    """One job on one replica. Calls raise what redis-py raises."""

    def __init__(self, client: redis.Redis, job: str) -> None:
        self._redis: Any = client
        self.keys = JobKeys(job)

    # Writing: each is a merge, which may be repeated.

    def commit(self, origin: str, commits: Iterable[Commit], *, settle: bool) -> list[bool]:
        """Apply new dots; with ``settle`` (on the Redis whose queue they came from) end their
        leases too. One bool a dot: applied now, or a duplicate."""
        keys = self.keys
        args: list[Any] = [origin]
        # The contents of large deltas, then what they mean: one transaction, one round trip.
        pipe = self._redis.pipeline(transaction=True)
        for seq, entry, delta in commits:
            large = len(delta) >= LARGE_BYTES
            if large:
                pipe.hsetnx(keys.deltas(origin), seq, delta)
            args += (seq, entry if settle else "", delta[:HEAD_BYTES] if large else delta)
        names = [*keys.results(origin), keys.tasks(origin), keys.started(origin)]
        names += [keys.copies(origin), keys.pace, keys.latency, keys.stats]
        call = ("wc_commit", len(names), *names, *args)
        if len(pipe):
            pipe.fcall(*call)
            reply = pipe.execute()[-1]
        else:
            reply = self._redis.fcall(*call)
        return [bool(applied) for applied in reply]

    def apply(self, origin: str, deltas: Iterable[tuple[int, bytes]]) -> list[bool]:
        """Apply dots that another replica has. One bool a dot, as ``commit``."""
        return [bool(x) for x in self._call("wc_apply", origin, deltas)]

    def retract(self, origin: str, marks: Iterable[tuple[int, bytes]]) -> list[int]:
        """Take dots back: (seq, its delta), or (seq, b"") where the dot is not inside the base.

        A dot each: 1 taken back now, 0 was before, -1 inside the base and its delta not told.
        """
        return self._call("wc_retract", origin, marks)

    def rebase(
        self,
        origin: str,
        base: bytes,
        through: int,
        taken: bytes,
        digest: str,
        contained: Iterable[tuple[int, bytes]] = (),
    ) -> bool:
        """Make ``base`` the origin's base, unless the one here goes as far.

        It is the sum of dots 1..through but those in ``taken``; ``digest`` is that of dots
        1..through; ``contained`` are deltas of dots that are retracted here and that it still
        contains. ResponseError BEHIND if one of these is not told and not known here.
        """
        staged = self.keys.staged(origin)
        names = [*self.keys.results(origin), staged]
        args = [origin, through, taken, digest]
        for seq, delta in contained:
            args += (seq, delta)
        try:
            # The base as a value of its own: a large argument of a function is copied by Lua.
            # In one transaction: nobody else's base may come between.
            pipe = self._redis.pipeline(transaction=True)
            pipe.set(staged, base)
            pipe.fcall("wc_rebase", len(names), *names, *args)
            return bool(pipe.execute()[1])
        except redis.ResponseError:
            self._redis.unlink(staged)
            raise

    def trim(self, origin: str) -> None:
        """Forget the deltas that the base covers."""
        through = self.holding(origin).through
        left = [int(s) for s in self._redis.hkeys(self.keys.deltas(origin)) if int(s) <= through]
        names = self.keys.results(origin)
        for at in range(0, len(left), TRIM_DOTS):
            some = left[at : at + TRIM_DOTS]
            self._redis.fcall("wc_trim", len(names), *names, origin, *some)

    def _call(self, function: str, origin: str, pairs: Iterable[tuple[int, bytes]]) -> list[int]:
        names = self.keys.results(origin)
        args: list[Any] = [origin]
        for seq, delta in pairs:
            args += (seq, delta)
        return [int(x) for x in self._redis.fcall(function, len(names), *names, *args)]

    def seal(self, origin: str, revision: int, total: int, due: int) -> None:
        """Declare a revision of the origin's manifest complete: ``total`` splits, of which ``due``
        are taken back. ResponseError if that revision was sealed otherwise."""
        args = [origin, revision, total, due]
        self._redis.fcall("wc_seal", 1, self.keys.manifest, *args)

    def keep_files(self, origin: str, revision: int, packed: bytes) -> None:
        """Keep a copy of the origin's manifest, unless a later one is here."""
        self._redis.fcall("wc_keep", 1, self.keys.files, origin, revision, packed)

    def bury(self, origin: str, dead: dict[int, Any]) -> None:
        """Tell this replica of splits given up elsewhere: seq -> why."""
        keys = self.keys
        args: list[Any] = [origin]
        for seq, error in dead.items():
            args += (seq, json.dumps(error))
        names = [keys.dead, keys.applied(origin), keys.retracted(origin)]
        self._redis.fcall("wc_bury", len(names), *names, *args)

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

    # Reading.

    def status(self, origins: Sequence[str]) -> JobStatus:
        keys = self.keys
        names = [keys.manifest, keys.files, keys.digest, keys.dead, keys.stats, keys.published]
        names += [keys.voids, keys.bases]
        for origin in origins:
            names += [keys.applied(origin), keys.retracted(origin)]
        return status.parse(self._redis.fcall_ro("wc_status", len(names), *names, *origins))

    def holding(self, origin: str) -> Holding:
        """Which of the origin's dots are here, and in which form."""
        return self._held(origin, [])[0]

    def based(self, origin: str) -> tuple[Holding, bytes | None]:
        """The same, and the base, packed as a delta: of one moment, so that it is known which
        dots the base is the sum of."""
        held, found = self._held(origin, [self.keys.base(origin)])
        return held, found[0]

    def _held(self, origin: str, more: list[str]) -> tuple[Holding, list[bytes | None]]:
        keys = self.keys
        pipe = self._redis.pipeline(transaction=True)
        pipe.hget(keys.bases, origin)
        for key in (keys.applied(origin), keys.retracted(origin), keys.taken(origin), *more):
            pipe.get(key)
        base, applied, retracted, taken, *found = pipe.execute()
        through, digest = base.decode().split() if base else (0, NO_DIGEST)
        held = Holding(applied or b"", retracted or b"", taken or b"", int(through), digest)
        return held, found

    def settled(self, origin: str, seqs: Sequence[int]) -> list[tuple[bool, bool]]:
        """Of each dot, whether it is applied here, and whether it is taken back."""
        # Splits that are claimed together stand near each other: a piece of each bitmap.
        first, last = min(seqs) // 8, max(seqs) // 8
        pipe = self._redis.pipeline(transaction=False)
        for key in (self.keys.applied(origin), self.keys.retracted(origin)):
            pipe.getrange(key, first, last)
        pieces = pipe.execute()
        places = [seq - 8 * first for seq in seqs]
        there, gone = ([bitmap.contains(piece, at) for at in places] for piece in pieces)
        return list(zip(there, gone, strict=True))

    def deltas(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each dot its delta; None if it is not here, or inside the base."""
        return self._hmget(self.keys.deltas(origin), seqs)

    def negatives(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each retracted dot its delta, if the base contains it."""
        return self._hmget(self.keys.negatives(origin), seqs)

    def contents(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each dot its delta, wherever it is kept here by itself."""
        pairs = zip(self.negatives(origin, seqs), self.deltas(origin, seqs), strict=True)
        return [inside if inside is not None else outside for inside, outside in pairs]

    def _hmget(self, key: str, seqs: Sequence[int]) -> list[bytes | None]:
        return list(self._redis.hmget(key, seqs)) if seqs else []

    def base_bytes(self, origin: str) -> int:
        """How large the origin's base is."""
        return int(self._redis.strlen(self.keys.base(origin)))

    def delta_bytes(self, origins: Sequence[str]) -> dict[str, int]:
        """About how much memory each origin's deltas take that are not in its base."""
        pipe = self._redis.pipeline(transaction=False)
        for origin in origins:
            pipe.memory_usage(self.keys.deltas(origin), samples=SAMPLES)
        return {origin: size or 0 for origin, size in zip(origins, pipe.execute(), strict=True)}

    def files(self, origin: str) -> tuple[int, bytes] | None:
        """The copy of the origin's manifest and its revision, if there is one."""
        packed, revision = self._redis.hmget(self.keys.files, [origin, f"{origin}/revision"])
        return None if packed is None else (int(revision), packed)

    def dead(self) -> dict[str, Any]:
        """ORIGIN/seq -> why the split was given up."""
        raw = self._redis.hgetall(self.keys.dead)
        return {dot.decode(): json.loads(error) for dot, error in raw.items()}

    def latencies(self) -> list[float]:
        """Seconds from enqueue to commit of the latest splits that this host's driver enqueued."""
        return [float(value) for value in self._redis.lrange(self.keys.latency, 0, -1)]
