"""ResultStore on Redis: typed calls of the functions in lua/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import redis

from wc.backends.api import Commit, Extent, Rejected, Unavailable
from wc.backends.redis import publication, sum_offer
from wc.backends.redis.keys import JobKeys
from wc.core import bitmap
from wc.counts.kernel import Tally
from wc.crdt import status
from wc.crdt.dot_sets import DotSets
from wc.crdt.status import NO_DIGEST, JobStatus

#: Deltas this large are stored with HSETNX first, because Lua copies its arguments; the function
#: gets only the head, these bytes with version and checksum (docs/delta-format.md).
LARGE_BYTES, HEAD_BYTES = 1 << 16, 20
#: Deltas that are forgotten in one call after they were folded into a base.
TRIM_DOTS = 200
#: Deltas whose checksums are read in one call, each of which Redis copies whole.
CHECKSUMS = 100
#: Deltas whose memory Redis measures to estimate that of all.
SAMPLES = 50


class RedisResultStore:
    """See wc.backends.api.ResultStore."""

    def __init__(self, client: redis.Redis, job: str) -> None:
        self._redis: Any = client
        self.keys = JobKeys(job)

    def commit(self, origin: str, commits: Iterable[Commit], *, settle: bool) -> list[bool]:
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
        return [bool(x) for x in self._call("wc_apply", origin, deltas)]

    def retract(self, origin: str, marks: Iterable[tuple[int, bytes]]) -> list[int]:
        return self._call("wc_retract", origin, marks)

    def rebase(
        self,
        origin: str,
        base: bytes,
        through: int,
        excluded: bytes,
        digest: str,
        contained: Iterable[tuple[int, bytes]] = (),
    ) -> bool:
        staged = self.keys.staged(origin)
        names = [*self.keys.results(origin), staged]
        args = [origin, through, excluded, digest]
        for seq, delta in contained:
            args += (seq, delta)
        try:
            # The base as a value of its own: a large argument of a function is copied by Lua.
            # In one transaction: nobody else's base may come between.
            pipe = self._redis.pipeline(transaction=True)
            pipe.set(staged, base)
            pipe.fcall("wc_rebase", len(names), *names, *args)
            return bool(pipe.execute()[1])
        except (Rejected, redis.ResponseError):
            with suppress(Unavailable):
                self._redis.unlink(staged)
            raise

    def checksums(self, origin: str, seqs: Sequence[int]) -> list[bytes]:
        key, found = self.keys.deltas(origin), []
        for at in range(0, len(seqs), CHECKSUMS):
            found += self._redis.fcall_ro("wc_checksums", 1, key, *seqs[at : at + CHECKSUMS])
        return found

    def forget(self, origin: str, seqs: Sequence[int]) -> int:
        names = [*self.keys.results(origin), self.keys.stats]
        return int(self._redis.fcall("wc_forget", len(names), *names, origin, *seqs))

    def delta_seqs(self, origin: str) -> list[int]:
        return sorted(map(int, self._redis.hkeys(self.keys.deltas(origin))))

    def trim(self, origin: str, seqs: Sequence[int]) -> None:
        names = self.keys.results(origin)
        for at in range(0, len(seqs), TRIM_DOTS):
            some = seqs[at : at + TRIM_DOTS]
            self._redis.fcall("wc_trim", len(names), *names, origin, *some)

    def _call(self, function: str, origin: str, pairs: Iterable[tuple[int, bytes]]) -> list[int]:
        names = self.keys.results(origin)
        args: list[Any] = [origin]
        for seq, delta in pairs:
            args += (seq, delta)
        return [int(x) for x in self._redis.fcall(function, len(names), *names, *args)]

    def seal(self, origin: str, revision: int, total: int, retracted: int) -> None:
        args = [origin, revision, total, retracted]
        self._redis.fcall("wc_seal", 1, self.keys.manifest, *args)

    def keep_manifest(self, origin: str, revision: int, packed: bytes) -> None:
        self._redis.fcall("wc_keep", 1, self.keys.files, origin, revision, packed)

    def bury(self, origin: str, dead: dict[int, Any]) -> None:
        keys = self.keys
        args: list[Any] = [origin]
        for seq, error in dead.items():
            args += (seq, json.dumps(error))
        names = [keys.dead, keys.applied(origin), keys.retracted(origin), keys.manifest]
        self._redis.fcall("wc_bury", len(names), *names, *args)

    def revive(self, origin: str, attempt: int) -> int:
        names = [self.keys.manifest, self.keys.dead, self.keys.errors]
        return int(self._redis.fcall("wc_revive", len(names), *names, origin, attempt))

    def note_waste(self, seconds: float) -> None:
        self._redis.hincrby(self.keys.stats, "wasted_ms", round(seconds * 1000))

    def status(self, origins: Sequence[str]) -> JobStatus:
        keys = self.keys
        names = [keys.manifest, keys.files, keys.digest, keys.dead, keys.stats, keys.published]
        names += [keys.voids, keys.bases]
        for origin in origins:
            names += [keys.applied(origin), keys.retracted(origin)]
        return status.parse(self._redis.fcall_ro("wc_status", len(names), *names, *origins))

    def dot_sets(self, origin: str) -> DotSets:
        return self._read_dots(origin)[0]

    def base(self, origin: str) -> tuple[DotSets, bytes | None]:
        dots, base = self._read_dots(origin, self.keys.base(origin))
        return dots, base[0]

    def base_part(self, origin: str, start: int, end: int) -> bytes:
        # GETRANGE has the last byte's index, and takes -1 for the last byte of all.
        return bytes(self._redis.getrange(self.keys.base(origin), start, end - 1)) if end else b""

    def _read_dots(self, origin: str, *more: str) -> tuple[DotSets, list[bytes | None]]:
        keys = self.keys
        pipe = self._redis.pipeline(transaction=True)
        pipe.hget(keys.bases, origin)
        for key in (keys.applied(origin), keys.retracted(origin), keys.taken(origin), *more):
            pipe.get(key)
        base, applied, retracted, excluded, *values = pipe.execute()
        through, digest = base.decode().split() if base else (0, NO_DIGEST)
        dots = DotSets(applied or b"", retracted or b"", excluded or b"", int(through), digest)
        return dots, values

    def settled(self, origin: str, seqs: Sequence[int]) -> list[tuple[bool, bool]]:
        # Splits that are claimed together are neighbours: read a piece of each bitmap.
        first, last = min(seqs) // 8, max(seqs) // 8
        pipe = self._redis.pipeline(transaction=False)
        for key in (self.keys.applied(origin), self.keys.retracted(origin)):
            pipe.getrange(key, first, last)
        pieces = pipe.execute()
        places = [seq - 8 * first for seq in seqs]
        applied, retracted = ([bitmap.contains(piece, at) for at in places] for piece in pieces)
        return list(zip(applied, retracted, strict=True))

    def deltas(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        return self._hmget(self.keys.deltas(origin), seqs)

    def negatives(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        return self._hmget(self.keys.negatives(origin), seqs)

    def contents(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        pairs = zip(self.negatives(origin, seqs), self.deltas(origin, seqs), strict=True)
        return [inside if inside is not None else outside for inside, outside in pairs]

    def _hmget(self, key: str, seqs: Sequence[int]) -> list[bytes | None]:
        return list(self._redis.hmget(key, seqs)) if seqs else []

    def base_bytes(self, origin: str) -> int:
        return int(self._redis.strlen(self.keys.base(origin)))

    def delta_bytes(self, origins: Sequence[str]) -> dict[str, int]:
        pipe = self._redis.pipeline(transaction=False)
        for origin in origins:
            pipe.memory_usage(self.keys.deltas(origin), samples=SAMPLES)
        return {origin: size or 0 for origin, size in zip(origins, pipe.execute(), strict=True)}

    def manifest_copy(self, origin: str) -> tuple[int, bytes] | None:
        packed, revision = self._redis.hmget(self.keys.files, [origin, f"{origin}/revision"])
        return None if packed is None else (int(revision), packed)

    def dead(self) -> dict[str, Any]:
        raw = self._redis.hgetall(self.keys.dead)
        return {dot.decode(): json.loads(error) for dot, error in raw.items()}

    def latencies(self) -> list[float]:
        return [float(value) for value in self._redis.lrange(self.keys.latency, 0, -1)]

    def publish(
        self, who: str, tally: Tally, state: str, most: int = 0, distinct: int | None = None
    ) -> Extent:
        return publication.publish(self._redis, self.keys, who, tally, state, most, distinct)

    def extent(self) -> Extent | None:
        return self.published_counts([])[0]

    def published_counts(self, words: Sequence[str]) -> tuple[Extent | None, list[int | None]]:
        return publication.counts(self._redis, self.keys, words)

    def is_publishing(self, who: str) -> bool:
        return bool(self._redis.exists(self.keys.publishing(who)))

    def published_top(self, most: int) -> list[tuple[str, int]]:
        rows = self._redis.zrevrange(self.keys.counts, 0, most - 1, withscores=True)
        return [(word.decode(), int(count)) for word, count in rows]

    def published(self) -> Iterator[tuple[str, int | float]]:
        return publication.read(self._redis, self.keys)

    def offer_sum(self, state: str, packed: bytes, distinct: int) -> None:
        sum_offer.write(self._redis, self.keys.sum, state, packed, distinct)

    def offered_sum(self, state: str) -> tuple[bytes, int] | None:
        return sum_offer.read(self._redis, self.keys.sum, state)

    def withdraw_sum(self) -> None:
        sum_offer.withdraw(self._redis, self.keys.sum)
