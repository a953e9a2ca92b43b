"""Replacing a file at once: a reader, or a restart after a power cut, finds the old one or the new.

The content is written to a temporary file beside the target and renamed over it. A rename is atomic
for readers. It survives a power cut only if the content was on disk before, and the folder, which
holds the names, is on disk after it: both are fsynced.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write, by itself or by its name, which becomes ``path`` when the block ends.

    If the block raises, ``path`` is what it was and the temporary file is removed. ``mode`` is that
    of a new file. Not ``durable``: nothing is fsynced, for what may be lost. Raises OSError.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with open(temporary, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        rename(temporary, path, durable=durable)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace ``path`` by a file with this content, text as UTF-8. Raises OSError."""
    with replacing(path, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def rename(source: Path, target: Path, *, durable: bool = True) -> None:
    """Rename a file within its folder, over what ``target`` names. Raises OSError."""
    source.replace(target)
    if durable:
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
