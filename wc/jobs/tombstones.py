"""The jobs that were deleted, on a host's disk: what keeps a peer from bringing one back.

A tombstone says that a job of this name was deleted, and never goes away: a host may come back
after any time, and the name is the identity of the job's dots. So a name is not used twice
(docs/adr/0025-deleted-jobs.md). The replicas have the same tombstones in `wc:deleted`.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from wc.core import atomic_file

#: The name of a deleted job -> its origins, by which its keys are found.
Tombstones = Mapping[str, Collection[str]]

NAME = ".deleted"


def read(jobs: Path) -> dict[str, list[str]]:
    """The tombstones of the host whose job folders are in ``jobs``."""
    try:
        found: dict[str, list[str]] = json.loads((jobs / NAME).read_text())
    except FileNotFoundError:
        return {}
    return found


def add(jobs: Path, tombstones: Tombstones) -> None:
    """Keep these too. Durable, and safe beside others that do the same."""
    with (jobs / f"{NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = read(jobs)
        both = {name: sorted(origins) for name, origins in tombstones.items()} | known
        if both != known:
            atomic_file.write(jobs / NAME, json.dumps(both))
