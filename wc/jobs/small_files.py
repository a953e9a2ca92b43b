"""Grouping small files into shared splits. Pure.

A split costs its queue and each replica about as much as counting some kilobytes, so small files
are counted several at a time. The grouping is decided once, when files are added to a manifest, and
is stored there: a later change of this rule does not change existing splits.
"""

from __future__ import annotations

from collections.abc import Iterable

from wc.jobs.manifest import Entry, InputFile, entry_of

#: The most bytes of a shared split; a smaller split size lowers it.
SHARED_BYTES = 256 * 1024


def group_small_files(files: Iterable[InputFile], most: int, split_bytes: int) -> list[Entry]:
    """The files as a manifest's entries, in order; up to ``most`` small ones share an entry.

    A file that must be read whole, begins with a byte order mark, or is larger than a shared split
    is an entry by itself; the small files around it may still share one. ``most`` 1 groups none.
    """
    limit = min(SHARED_BYTES, split_bytes)
    entries: list[Entry] = []
    group: list[InputFile] = []
    size = 0
    for file in files:
        if most < 2 or file.whole or file.size > limit or file.compression != "none":
            entries.append(file)
            continue
        if len(group) == most or size + file.size > limit:
            entries.append(entry_of(group))
            group, size = [], 0
        group.append(file)
        size += file.size
    if group:
        entries.append(entry_of(group))
    return entries
