"""Expanding a job's glob to its files, and checking them before anything starts.

It runs as the workers' user, and reports every problem at once: later a file that cannot be read
would make its splits fail one by one.
"""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from wc.core.printable import printable
from wc.inputs import encodings
from wc.inputs.walk import Walk
from wc.jobs.manifest import InputFile
from wc.text import tokenizers

#: The most files or folders that an error message names.
NAMED = 5
#: The most files of a job.
MOST_FILES = 10_000_000
#: So many files are inspected between two calls of ``progress``, which each folder calls, too.
PROGRESS_FILES = 256


class InputError(Exception):
    """No file matches, or some cannot be read. The message names them and says what to do."""


def expand(
    pattern: str,
    tokenizer: str,
    *,
    none_ok: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> list[InputFile]:
    """The regular files that ``pattern`` matches (``**`` crosses folders), sorted by path.

    ``none_ok``: matching no file is no error. ``progress`` is told now and then how many files were
    seen. Raises InputError, or ValueError for an unknown tokenizer.
    """
    whole = not tokenizers.tokenizer(tokenizer).splittable
    if not os.path.isabs(pattern):
        raise InputError(f"{pattern}: give an absolute path, hosts have folders of their own")
    if os.path.isdir(pattern):  # Path.is_dir would raise for a folder that hides its content
        raise InputError(f"{pattern} is a directory: name its files, for example {pattern}/*.txt")
    files: list[InputFile] = []
    problems: list[str] = []
    walk = Walk(pattern, lambda: progress(len(files)))
    # A file's own name may have brackets in it.
    paths: Iterable[str] = [pattern] if os.path.isfile(pattern) else walk
    try:
        for path in paths:
            try:
                if (file := _inspect(path, whole)) is not None:
                    files.append(file)
            except OSError as error:
                problems.append(_reason(path, error))
            except InputError as error:
                problems.append(str(error))
            if len(files) % PROGRESS_FILES == 0:
                progress(len(files))
            if len(files) > MOST_FILES:
                raise InputError(f"{pattern} matches more than {MOST_FILES:,} files: name fewer")
    except OSError as error:  # no file may be left out of the counts
        raise InputError(f"{printable(error.filename or pattern)}: {error.strerror}") from None
    if walk.closed:
        raise InputError(
            f"{pattern}: the workers' user ({_user()}) may not enter {_names(walk.closed)}; "
            "allow it with chmod o+rx or setfacl, or name the files otherwise"
        )
    if problems:
        problems.sort()
        lines = "\n  ".join([*problems[:NAMED], *_more(problems)])
        number = len(problems) + len(files)
        raise InputError(f"{len(problems)} of {number} inputs cannot be read:\n  {lines}")
    if not files and not none_ok:
        raise InputError(f"no file matches {pattern}{_why_nothing_matches(pattern)}")
    files.sort()
    return files


def expand_all(
    patterns: Iterable[str],
    tokenizer: str,
    *,
    none_ok: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> list[InputFile]:
    """The files that any of the patterns matches, each once, sorted by path. Raises as ``expand``,
    also if one of several patterns matches nothing."""
    found: dict[str, InputFile] = {}
    for pattern in patterns:
        before = len(found)
        files = expand(
            pattern,
            tokenizer,
            none_ok=none_ok,
            progress=lambda seen, before=before: progress(before + seen),  # type: ignore[misc]
        )
        found.update((file.path, file) for file in files)
    return [found[path] for path in sorted(found)]


def _more(names: list[str]) -> list[str]:
    return [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []


def _names(paths: list[str]) -> str:
    paths = sorted(map(printable, set(paths)))
    return ", ".join([*paths[:NAMED], *_more(paths)])


def _inspect(path: str, whole: bool) -> InputFile | None:
    """A file as it is now; None for a folder. Only four system calls: files may be many."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):  # not opened: opening a pipe or device may hang
        raise InputError(f"{printable(path)} is not a regular file")
    head = encodings.head(path)
    if len(head) != min(status.st_size, encodings.HEAD_BYTES):
        if os.stat(path).st_size != status.st_size:
            raise InputError(f"{printable(path)} is being written: wait until it is complete")
        raise InputError(
            f"{printable(path)} has {status.st_size} bytes by its size, but not if it is read, as "
            "files of /proc and /sys: copy it, and count the copy"
        )
    if encodings.is_plain(head):
        return InputFile(path, status.st_size, status.st_mtime_ns, "none", whole)
    if reason := encodings.refusal(head, shlex.quote(printable(path))):
        raise InputError(f"{printable(path)} {reason}")
    kind = encodings.compression(head)
    whole = whole or kind in encodings.OPEN
    return InputFile(path, status.st_size, status.st_mtime_ns, kind, whole)


def _reason(path: str, error: OSError) -> str:
    path = printable(path)
    if not isinstance(error, PermissionError):
        return f"{path}: {error.strerror}"
    return f"{path}: the workers' user ({_user()}) may not read it; allow it with chmod or setfacl"


def _why_nothing_matches(pattern: str) -> str:
    """A parent folder that may not be entered, which hides files that may exist, or a name that
    has brackets; or ""."""
    parts = pattern.split("/")
    for depth in range(len(parts), 1, -1):
        path = "/".join(parts[:depth])
        if "[" in parts[depth - 1] and os.path.exists(path):
            written = "/".join([path.replace("[", "[[]"), *parts[depth:]])
            return (
                f": {path} is there, but in a glob [...] is any one of these characters; "
                f"for the sign itself write [[], as in '{written}'"
            )
    for folder in reversed(Path(pattern).parents):
        if folder.is_dir() and not os.access(folder, os.X_OK | os.R_OK):
            return (
                f": the workers' user ({_user()}) may not enter {folder}; "
                "move the files, or allow it with chmod o+rx or setfacl"
            )
    return ""


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
