"""What the rest of `wc` asks of the store behind a replica: a job's results, its work, the jobs.

Every call is one or a few round trips to one replica. Each raises Unavailable if the replica gave
no answer, and Rejected, which is an Unavailable too, if it answered with an error: for this call
the replica is not there, and the others go on. Each may be repeated: writing is a merge, or changes
nothing the second time. Sizes in bytes, times in seconds. A dot is (origin, seq); a bitmap of dots
is as `wc.core.bitmap` has it; a delta is packed counts (docs/delta-format.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from wc.counts.kernel import Tally
from wc.crdt.dot_sets import DotSets
from wc.crdt.status import JobStatus
from wc.jobs.spec import JobSpec
from wc.jobs.splits import Split
from wc.jobs.tombstones import Tombstones


class Unavailable(Exception):
    """A replica gave no answer. Whether a write happened there is unknown."""

    def __init__(self, replica: str, reason: str) -> None:
        super().__init__(f"replica {replica}: {reason}")
        self.replica = replica
        self.reason = reason


class Rejected(Unavailable):
    """A replica answered with an error, which is the reason: it has no memory left, it takes no
    writes, or the call is wrong."""


class Claim(NamedTuple):
    """A split to count, from the queue on the replica ``home``. ``deliveries`` is 1 for a new
    lease, more for one taken over, and 0 for a speculative copy, which has no lease."""

    home: str
    origin: str
    entry: str
    seq: int
    split: Split
    deliveries: int


class Commit(NamedTuple):
    """One split's result: ``entry`` is its place in its queue, as its claim has it."""

    seq: int
    entry: str
    delta: bytes


class Extent(NamedTuple):
    """How much of a job's result its sorted set is: how many of how many distinct words, and how
    many it may have, 0 for all."""

    words: int
    distinct: int
    limit: int

    @property
    def complete(self) -> bool:
        """Whether every word is in it, so that one that is not was counted zero times."""
        return self.words == self.distinct


class WorkQueue(Protocol):
    """One job's queues of splits on one replica: its own host's, and those that were adopted.

    A claim is a lease: it lasts as long as it is renewed, and what expires is taken over.
    """

    # The driver's side.

    def enqueue(self, origin: str, splits: Iterable[tuple[int, Split]]) -> int:
        """Add the splits (seq, split) above the high-water mark, seq ascending; how many."""

    def requeue(self, origin: str, splits: Iterable[tuple[int, Split]]) -> int:
        """Put back splits that were lost with a Redis; how many. None while any is queued."""

    def restore(self, origin: str) -> None:
        """Let workers find what is queued, if they cannot because the consumer group was lost."""

    def backlog(self, origin: str) -> int:
        """Splits that are enqueued and not settled."""

    # The workers' side. ``consumer`` is the worker's name.

    def claim(self, consumer: str, most: int, origins: Sequence[str]) -> list[Claim]:
        """Lease up to ``most`` new splits, all of one of the origins; [] if there are none."""

    def takeover(
        self, consumer: str, lease_ms: int, most: int, max_deliveries: int, origins: Sequence[str]
    ) -> list[Claim]:
        """Lease up to ``most`` splits, all of one origin, whose lease was not renewed for
        ``lease_ms``. A split that was delivered ``max_deliveries`` times is given up instead, or
        is done if it is settled here."""

    def speculate(self, consumer: str, most: int, origins: Sequence[str]) -> list[Claim]:
        """Up to ``most`` stragglers of others, all of one origin, to count a second time. Their
        leases stay where they are."""

    def renew(self, consumer: str, origin: str, entries: Sequence[str]) -> list[bool]:
        """Renew leases. One bool an entry: renewed, or lost to someone else."""

    def drop(self, origin: str, claims: Iterable[Claim]) -> None:
        """End the leases of splits that need no counting."""

    def fail(
        self,
        claim: Claim,
        error: dict[str, Any],
        *,
        final: bool,
        max_deliveries: int,
        consumer: str = "",
        others: Sequence[str] = (),
    ) -> bool:
        """Record why a split failed. True if it is given up now: the error is ``final``, or the
        split was delivered too often. False if it will be tried again, or is settled here.

        ``others``: hosts that may not have that error. The split is free for them at once, and an
        error is final, or a delivery one too many, only when all of them have had it too.
        """


class ResultStore(Protocol):
    """One job's results on one replica."""

    # Dots.

    def commit(self, origin: str, commits: Iterable[Commit], *, settle: bool) -> list[bool]:
        """Apply new dots. ``settle`` on the replica whose queue they came from: ends their leases
        in the same step. One bool a dot: new here, or a duplicate."""

    def apply(self, origin: str, deltas: Iterable[tuple[int, bytes]]) -> list[bool]:
        """Apply dots (seq, delta) that another replica has. One bool a dot, as ``commit``."""

    def retract(self, origin: str, marks: Iterable[tuple[int, bytes]]) -> list[int]:
        """Retract dots: (seq, its delta), or (seq, b"") for a dot that is not inside the base.

        One number a dot: 1 retracted now, 0 was before, -1 refused, as it is inside the base and
        its delta is not given.
        """

    def dot_sets(self, origin: str) -> DotSets:
        """Which of the origin's dots are here, and in which form."""

    def settled(self, origin: str, seqs: Sequence[int]) -> list[tuple[bool, bool]]:
        """Of each dot, whether it is applied here, and whether it is retracted."""

    def deltas(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each dot its delta; None if it is not here, or only inside the base."""

    def negatives(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each retracted dot its delta, if the base contains it."""

    def contents(self, origin: str, seqs: Sequence[int]) -> list[bytes | None]:
        """Of each dot its delta, from ``negatives`` or from ``deltas``."""

    def checksums(self, origin: str, seqs: Sequence[int]) -> list[bytes]:
        """Of each dot the checksum of its delta; b"" if that is not here by itself."""

    def forget(self, origin: str, seqs: Sequence[int]) -> int:
        """Forget that these dots were applied, so that they are counted again, as replicas have
        different counts of them; how many. Those inside the base stay."""

    # Compaction.

    def base(self, origin: str) -> tuple[DotSets, bytes | None]:
        """``dot_sets``, and the base, packed as a delta: of one moment, so that it is known which
        dots the base is the sum of."""

    def base_part(self, origin: str, start: int, end: int) -> bytes:
        """Bytes start..end, without the last, of the base; fewer where it ends before."""

    def rebase(
        self,
        origin: str,
        base: bytes,
        through: int,
        excluded: bytes,
        digest: str,
        contained: Iterable[tuple[int, bytes]] = (),
    ) -> bool:
        """Make ``base`` the origin's base. False if the one here goes as far.

        It is the sum of dots 1..through but the ``excluded`` ones (a bitmap); ``digest`` is that of
        dots 1..through; ``contained`` are (seq, delta) of dots that are retracted here and that it
        still contains. Rejected with BEHIND if one of these is neither given nor known here.
        """

    def delta_seqs(self, origin: str) -> list[int]:
        """The dots whose deltas are here by themselves, ascending; the base may cover some."""

    def trim(self, origin: str, seqs: Sequence[int]) -> None:
        """Forget those of these dots' deltas that the base covers."""

    def base_bytes(self, origin: str) -> int:
        """How large the origin's base is."""

    def delta_bytes(self, origins: Sequence[str]) -> dict[str, int]:
        """About how much memory each origin's deltas take that are not in its base."""

    # The job as a whole.

    def status(self, origins: Sequence[str]) -> JobStatus:
        """Totals, digests and statistics."""

    def seal(self, origin: str, revision: int, total: int, retracted: int) -> None:
        """Declare a revision of the origin's manifest complete: ``total`` splits, ``retracted`` of
        them retracted. Rejected if that revision was sealed with another total."""

    def keep_manifest(self, origin: str, revision: int, packed: bytes) -> None:
        """Keep a copy of the origin's manifest, unless one as late is here."""

    def manifest_copy(self, origin: str) -> tuple[int, bytes] | None:
        """Revision and packed copy of the origin's manifest; None without one."""

    def bury(self, origin: str, dead: dict[int, Any]) -> None:
        """Note splits that were given up elsewhere, seq -> why, unless they are settled here."""

    def revive(self, origin: str, attempt: int) -> int:
        """Forget which of the origin's splits were given up before this attempt, and why, whoever
        still tells of them; how many there were. JobStatus has the latest attempt."""

    def dead(self) -> dict[str, Any]:
        """ORIGIN/seq -> why the split was given up."""

    def note_waste(self, seconds: float) -> None:
        """Add to the time spent on counting what someone else had committed first."""

    def latencies(self) -> list[float]:
        """Seconds from enqueue to commit of the latest splits that this host's driver enqueued."""

    # Publication: the sorted set that people read.

    def publish(
        self, who: str, tally: Tally, state: str, most: int = 0, distinct: int | None = None
    ) -> Extent:
        """Replace the sorted set by the tally's ``most`` most frequent words (0: all), and note
        how many of how many these are, and the digest ``state`` of what the tally is the sum of.

        ``who`` is the publisher's name; ``distinct`` is how many words there are, where the tally
        has only the first of them. Readers see the old set or the new one.
        """

    def extent(self) -> Extent | None:
        """How much of the result the sorted set is; None if none is published, or an earlier
        version did it."""

    def published_counts(self, words: Sequence[str]) -> tuple[Extent | None, list[int | None]]:
        """``extent``, and of each word its count in the sorted set, None if it is not in it: of
        one moment."""

    def is_publishing(self, who: str) -> bool:
        """Whether ``who`` is filling the next sorted set."""

    def published_top(self, most: int) -> list[tuple[str, int]]:
        """The ``most`` most frequent words (0: all) of the sorted set, the first one first."""

    def published(self) -> Iterator[tuple[str, int | float]]:
        """All of the sorted set, read in slices. A score that is no whole number is a float."""

    # The sum that one driver makes for all.

    def offer_sum(self, state: str, packed: bytes, distinct: int) -> None:
        """Offer the packed sum of what the digest ``state`` stands for, or the first words of it,
        and how many distinct words there are. It is gone after a minute, whatever becomes of who
        offered it."""

    def offered_sum(self, state: str) -> tuple[bytes, int] | None:
        """The packed sum that is offered of this very ``state``, and how many distinct words there
        are; None without one."""

    def withdraw_sum(self) -> None:
        """Offer it for a second more, for who is just reading it."""


class JobRegistry(Protocol):
    """The jobs that one replica knows, and which of them have work left."""

    def open(self, spec: JobSpec) -> None:
        """Make a job known as one with work left, and wake idle workers."""

    def wake(self, job: str) -> None:
        """Wake idle workers: the job has splits for them."""

    def learn(self, specs: Iterable[JobSpec]) -> None:
        """Know these jobs too, without opening them."""

    def close(self, job: str) -> None:
        """The job has no work left for this replica's host."""

    def is_open(self, job: str) -> bool:
        """Whether the job has work left, and workers can read what it is."""

    def open_jobs(self) -> list[JobSpec]:
        """Jobs with work left, oldest first."""

    def jobs(self) -> list[JobSpec]:
        """All jobs, oldest first, but for ``unreadable`` ones."""

    def unreadable(self) -> dict[str, str]:
        """Jobs whose specification this version cannot read, and why: a later one wrote it."""

    def deleted(self) -> dict[str, list[str]]:
        """The tombstones that the replica has (wc/jobs/tombstones.py). The jobs they name are not
        among those that it knows, and cannot be opened or learned."""

    def delete(self, tombstones: Tombstones) -> None:
        """Keep these tombstones, and remove all that the replica has of their jobs."""

    def purge(self, tombstones: Tombstones) -> None:
        """Remove what late writers left of deleted jobs."""

    def memory(self, spec: JobSpec) -> int:
        """About how many bytes of the replica's memory a job has."""

    def wait(self, seconds: float, since: bytes) -> bytes:
        """Return when workers were woken, or after ``seconds``: the last wake-up's id, for
        ``since`` of the next call, which so misses none. The first may have b"0"."""

    def repair_facts(self, host: str) -> Mapping[str, Any] | None:
        """What a host's background repair has done (wc/replication/repair_stats.py); None if it
        never ran."""

    def keep_repair_facts(self, host: str, text: str) -> None:
        """Write that down, as JSON; nothing is written if it stands there."""
