"""Which small files share a split. Pure.

A split costs its queue and each replica about as much as counting some kilobytes does, so many
small files are counted several at a time. What shares a split is decided once, when files are
added to a manifest, and is written down there: a later rule changes no split that there is.
"""

from __future__ import annotations

from collections.abc import Iterable

from wc.jobs.manifest import Entry, InputFile

#: Files that share a split have at most these bytes together, and at most a split's.
SHARED_BYTES = 256 * 1024


def shared(files: Iterable[InputFile], most: int, split_bytes: int) -> list[Entry]:
    """The files in order, neighbouring small ones together, up to ``most`` of them: 1 for none.

    A file that is read whole or is larger than what a shared split may hold stays by itself, and
    does not part its neighbours.
    """
    limit = min(SHARED_BYTES, split_bytes)
    entries: list[Entry] = []
    held: list[InputFile] = []
    size = 0
    for file in files:
        if most < 2 or file.whole or file.size > limit:
            entries.append(file)
            continue
        if len(held) == most or size + file.size > limit:
            entries.append(entry(held))
            held, size = [], 0
        held.append(file)
        size += file.size
    if held:
        entries.append(entry(held))
    return entries


def entry(files: list[InputFile]) -> Entry:
    """One or more files as a manifest has them."""
    return files[0] if len(files) == 1 else tuple(files)
