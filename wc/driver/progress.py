"""How far a job is on one origin, as one JSON object.

Bytes are counted exactly, by looking up the splits that are new since the last look.
"""

from __future__ import annotations

from typing import Any

from wc.backends.api import ResultStore
from wc.core import bitmap
from wc.crdt.status import OriginStatus
from wc.jobs.manifest import Manifest


class Progress:
    """One origin's progress. ``look`` gives a JSON object:

    origin, phase (enqueueing, counting, converging, publishing), splits, applied, dead, bytes
    (total), counted (bytes).
    """

    def __init__(self, origin: str, files: Manifest) -> None:
        self._origin = origin
        self._manifest = files
        self._retracted = set(files.retracted())
        self._seen = b""
        self._counted = 0

    @property
    def begun(self) -> dict[str, Any]:
        """The same object before there was a look, as far as the manifest tells."""
        files = self._manifest
        return {"origin": self._origin, "splits": files.total, "bytes": files.total_bytes}

    def look(self, store: ResultStore) -> dict[str, Any]:
        """As the replica has it now. Raises Unavailable, Rejected."""
        status = store.status([self._origin]).origins[self._origin]
        self._count(store.dot_sets(self._origin).applied)
        publishing = status.settled and store.is_publishing(self._origin)
        return self.begun | {
            "phase": "publishing" if publishing else _phase(status),
            "applied": status.applied,
            "dead": status.dead,
            "counted": self._counted,
        }

    def _count(self, applied: bytes) -> None:
        for seq in bitmap.members(bitmap.difference(applied, self._seen)):
            if seq not in self._retracted and seq <= self._manifest.total:
                self._counted += self._manifest.split(seq).length
        self._seen = bitmap.union([self._seen, applied])


def _phase(status: OriginStatus) -> str:
    if status.total is None:
        return "enqueueing"
    return "converging" if status.settled else "counting"
