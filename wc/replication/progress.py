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
    (total), counted (bytes).
    """

    def __init__(self, origin: str, manifest: Manifest) -> None:
        self._origin = origin
        self._manifest = manifest
        self._retracted = set(manifest.retracted())
        self._applied = b""
        self._counted = 0

    @property
    def size(self) -> dict[str, Any]:
        """What of that object the manifest tells: origin, splits and bytes."""
        manifest = self._manifest
        return {"origin": self._origin, "splits": manifest.total, "bytes": manifest.total_bytes}

    def read(self, store: ResultStore) -> dict[str, Any]:
        """The progress as the replica has it now. Raises Unavailable, Rejected."""
        status = store.status([self._origin]).origins[self._origin]
        self._count(store.dot_sets(self._origin).applied)
        publishing = status.settled and store.is_publishing(self._origin)
        return self.size | {
            "phase": "publishing" if publishing else _phase(status),
            "applied": status.applied,
            "dead": status.dead,
            "counted": self._counted,
        }

    def _count(self, applied: bytes) -> None:
        for seq in bitmap.members(bitmap.difference(applied, self._applied)):
            if seq not in self._retracted and seq <= self._manifest.total:
                self._counted += self._manifest.split(seq).length
        self._applied = bitmap.union([self._applied, applied])


def _phase(status: OriginStatus) -> str:
    if status.total is None:
        return "enqueueing"
    return "converging" if status.settled else "counting"
