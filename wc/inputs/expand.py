"""Expanding a job's glob to its files, and checking them before anything starts.

It runs as the workers' user, and reports every problem at once: later a file that cannot be read
would make its splits fail one by one.
"""

from __future__ import annotations

import glob
import os
import pwd
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from wc.inputs import split_reader
from wc.jobs.manifest import InputFile
from wc.jobs.splits import Compression
from wc.text import tokenizers

#: The most files or folders that an error message names.
NAMED = 5


class InputError(Exception):
    """No file matches, or some cannot be read. The message names them and says what to do."""


def expand(pattern: str, tokenizer: str, *, none_ok: bool = False) -> list[InputFile]:
    """The regular files that ``pattern`` matches (``**`` crosses folders), sorted by path.

    ``none_ok``: matching no file is no error. Raises InputError, or ValueError for an unknown
    tokenizer.
    """
    whole = not tokenizers.tokenizer(tokenizer).splittable
    if not os.path.isabs(pattern):
        raise InputError(f"{pattern}: give an absolute path, hosts have folders of their own")
    if os.path.isdir(pattern):  # Path.is_dir would raise for a folder that hides its content
        raise InputError(f"{pattern} is a directory: name its files, for example {pattern}/*.txt")
    if os.path.isfile(pattern):  # a file's own name may have brackets in it
        paths = [pattern]
    else:
        paths = sorted(glob.iglob(pattern, recursive=True))
        # glob skips folders that it may not list, but no file may be left out of the counts.
        if closed := list(_inaccessible_folders(pattern)):
            raise InputError(
                f"{pattern}: the workers' user ({_user()}) may not enter {_names(closed)}; "
                "allow it with chmod o+rx or setfacl, or name the files otherwise"
            )
    files, problems = [], []
    for path in paths:
        try:
            if (file := _inspect(path, whole)) is not None:
                files.append(file)
        except (OSError, InputError) as error:
            problems.append(str(error) if isinstance(error, InputError) else _reason(path, error))
    if problems:
        lines = "\n  ".join([*problems[:NAMED], *_more(problems)])
        number = len(problems) + len(files)
        raise InputError(f"{len(problems)} of {number} inputs cannot be read:\n  {lines}")
    if not files and not none_ok:
        raise InputError(f"no file matches {pattern}{_why_nothing_matches(pattern)}")
    return files


def expand_all(
    patterns: Iterable[str], tokenizer: str, *, none_ok: bool = False
) -> list[InputFile]:
    """The files that any of the patterns matches, each once, sorted by path. Raises as ``expand``,
    also if one of several patterns matches nothing."""
    found = {
        file.path: file
        for pattern in patterns
        for file in expand(pattern, tokenizer, none_ok=none_ok)
    }
    return [found[path] for path in sorted(found)]


def _inaccessible_folders(pattern: str) -> Iterator[str]:
    """Folders on the pattern's way that may not be entered or listed."""
    parts = pattern.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth]) + "/"
        listed = glob.has_magic(parts[depth])
        if not listed and not glob.has_magic(above):
            continue
        folders = set(glob.iglob(above, recursive=True)) if glob.has_magic(above) else {above}
        if parts[depth] == "**":
            folders.update(glob.iglob(f"{above}**/", recursive=True))
        for folder in folders:
            # A folder that does not exist is no problem; one within an inaccessible one is unknown.
            if _is_missing(folder):
                continue
            if not os.access(folder, os.X_OK | (os.R_OK if listed else 0)):
                yield folder.rstrip("/") or "/"


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _more(names: list[str]) -> list[str]:
    return [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []


def _names(paths: list[str]) -> str:
    paths = sorted(set(paths))
    return ", ".join([*paths[:NAMED], *_more(paths)])


def _inspect(path: str, whole: bool) -> InputFile | None:
    """A file as it is now; None for a folder. Only four system calls: files may be many."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):  # not opened: opening a pipe or device may hang
        raise InputError(f"{path} is not a regular file")
    gzipped = split_reader.is_gzip(path)
    compression: Compression = "gzip" if gzipped else "none"
    return InputFile(path, status.st_size, status.st_mtime_ns, compression, whole or gzipped)


def _reason(path: str, error: OSError) -> str:
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
