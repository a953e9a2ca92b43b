"""How far a job is on one origin, as one JSON object.

Bytes are counted exactly, by looking up the splits that were applied since the last time.
"""

from __future__ import annotations

from typing import Any

from wc.backends.api import ResultStore
from wc.core import bitmap
from wc.crdt.status import OriginStatus
from wc.jobs.manifest import Manifest


class ProgressReader:
    """One origin's progress. ``read`` gives a JSON object:

    origin, phase (enqueueing, counting, converging, publishing), splits, applied, dead, bytes
    (total), counted (bytes). What belongs to retracted files is in none of the figures.
    """

    def __init__(self, origin: str, manifest: Manifest) -> None:
        self._origin = origin
        self._manifest = manifest
        self._retracted = bytearray()
        for seq in manifest.retracted():
            bitmap.add(self._retracted, seq)
        self._applied = b""
        self._counted = 0

    @property
    def size(self) -> dict[str, Any]:
        """What of that object the manifest tells: origin, splits and bytes."""
        manifest = self._manifest
        splits = manifest.total - len(manifest.retracted())
        return {"origin": self._origin, "splits": splits, "bytes": manifest.total_bytes}

    def read(self, store: ResultStore) -> dict[str, Any]:
        """The progress as the replica has it now. Raises Unavailable, Rejected."""
        status = store.status([self._origin]).origins[self._origin]
        applied = bitmap.difference(store.dot_sets(self._origin).applied, self._retracted)
        self._count(applied)
        publishing = status.settled and store.is_publishing(self._origin)
        return self.size | {
            "phase": "publishing" if publishing else _phase(status),
            "applied": bitmap.count(applied),
            "dead": status.dead,
            "counted": self._counted,
        }

    def _count(self, applied: bytes) -> None:
        for seq in bitmap.members(bitmap.difference(applied, self._applied)):
            if seq <= self._manifest.total:
                self._counted += self._manifest.split(seq).length
        self._applied = bitmap.union([self._applied, applied])


def _phase(status: OriginStatus) -> str:
    if status.total is None:
        return "enqueueing"
    return "converging" if status.settled else "counting"
