"""A share: the files that planning dealt to one origin, and the manifest that they make. Pure.

{"files": [[path, size, mtime in ns, compression, whole]], "share": how many small ones may share a
split}. Every origin makes the same manifest of the same share, which is how each knows all of them.
"""

from __future__ import annotations

from typing import Any

from wc.jobs.manifest import Entry, InputFile, Manifest
from wc.jobs.small_files import group_small_files

Share = dict[str, Any]


def entries_of(share: Share, split_bytes: int) -> list[Entry]:
    """A share's files as a manifest has them."""
    files = (InputFile(*row) for row in share["files"])
    return group_small_files(files, int(share.get("share", 1)), split_bytes)


def first_manifest(share: Share, split_bytes: int) -> Manifest:
    """The manifest with which an origin starts."""
    return Manifest(split_bytes, entries_of(share, split_bytes))
