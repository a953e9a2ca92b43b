"""Finding the files that a glob matches.

Each folder, told by device and inode, is listed once for each part of the pattern, so no file is
found twice by way of links or mounts, and the walk ends. ``**`` does not follow links to folders; a
link that a name or another wildcard of the pattern matches is followed, as in the shell.
"""

from __future__ import annotations

import errno
import os
import re
from collections import deque
from collections.abc import Callable, Iterator

from wc.inputs.globs import MAGIC, name_regex

#: Errors of a path that leads to no folder: it has gone, or never was one.
NO_FOLDER = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

#: A folder to enter, and the numbers of the pattern's parts that its entries are compared with.
Visit = tuple[str, set[int]]


class Walk(Iterator[str]):
    """The paths that an absolute ``pattern`` matches, unordered; links to folders among them.

    Iterating raises OSError if a folder cannot be read, unless that is not permitted.
    """

    def __init__(self, pattern: str, progress: Callable[[], None] = lambda: None) -> None:
        self.closed: list[str] = []
        """Folders that may not be entered or listed."""
        self._progress = progress  # called at each folder
        self._parts = pattern.split("/")[1:]
        self._names = [
            re.compile(name_regex(part), re.DOTALL) if MAGIC.search(part) else None
            for part in self._parts
        ]
        self._entered: set[tuple[int, int, int]] = set()
        self._paths = self._walk()

    def __next__(self) -> str:
        return next(self._paths)

    def _walk(self) -> Iterator[str]:
        to_visit: deque[Visit] = deque([("", {0})])
        while to_visit:
            folder, parts = to_visit.popleft()
            try:
                parts = self._enter(folder or "/", parts)
                listed = {part for part in parts if self._names[part]}
                for part in parts - listed:
                    path = f"{folder}/{self._parts[part]}"
                    if part < len(self._parts) - 1:
                        to_visit.append((path, {part + 1}))
                    elif _exists(path):
                        yield path
                if listed:
                    yield from self._list(folder, listed, to_visit)
            except PermissionError:
                self.closed.append(_closed(folder))
            except OSError as error:
                if error.errno not in NO_FOLDER:
                    raise

    def _enter(self, folder: str, parts: set[int]) -> set[int]:
        """Those parts that this folder's entries were not compared with before. ``**`` may stand
        for no folder: then it is the part behind it that counts."""
        status = os.stat(folder)
        self._progress()
        for part in sorted(parts):
            behind = part
            while self._parts[behind] == "**" and behind < len(self._parts) - 1:
                behind += 1
                parts.add(behind)
        new = {p for p in parts if (status.st_dev, status.st_ino, p) not in self._entered}
        self._entered.update((status.st_dev, status.st_ino, part) for part in new)
        return new

    def _list(self, folder: str, parts: set[int], to_visit: deque[Visit]) -> Iterator[str]:
        last = len(self._parts) - 1
        links: list[Visit] = []
        compared = [(part, self._parts[part] == "**", self._names[part]) for part in sorted(parts)]
        with os.scandir(folder or "/") as entries:
            if not os.access(folder or "/", os.X_OK):
                raise PermissionError
            for entry in entries:
                name = entry.name
                is_folder, is_link = entry.is_dir(follow_symlinks=False), entry.is_symlink()
                matched, following = False, set()
                for part, crosses, regex in compared:
                    if name[0] == "." if crosses else not (regex and regex.fullmatch(name)):
                        continue
                    if part == last:
                        matched = True
                    if crosses and is_folder:
                        following.add(part)
                    elif not crosses and part < last and (is_folder or is_link):
                        following.add(part + 1)
                if matched and not is_folder:
                    yield f"{folder}/{name}"
                if following:
                    # Links come last: what they lead to has its own name first.
                    (links if is_link else to_visit).append((f"{folder}/{name}", following))
        to_visit.extend(links)


def _exists(path: str) -> bool:
    """Raises OSError if that cannot be told: os.path.lexists says no then."""
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno in NO_FOLDER:
            return False
        raise
    return True


def _closed(folder: str) -> str:
    """The folder that is closed, of one and those it is in."""
    parts = folder.split("/")
    above = ("/".join(parts[:depth]) for depth in range(2, len(parts)))
    return next((path for path in above if not os.access(path, os.X_OK)), folder or "/")
