"""Which files a job reads: a glob, expanded and checked before anything starts.

Every problem is found here, by the user that the workers run as: a file that cannot be
read now would otherwise end its splits one by one.
"""

from __future__ import annotations

import glob
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from wc.inputs import split_reader
from wc.jobs.manifest import InputFile
from wc.text import tokenizers

#: How many bad files an error message names.
NAMED = 5


class InputError(Exception):
    """No file matches, or some cannot be read. The message names them and says what to do."""


def expand(pattern: str, tokenizer: str, *, none_ok: bool = False) -> list[InputFile]:
    """The regular files that ``pattern`` matches (``**`` crosses folders), sorted by path.

    Raises InputError, or ValueError for an unknown tokenizer.
    """
    whole = not tokenizers.tokenizer(tokenizer).splittable
    if not os.path.isabs(pattern):
        raise InputError(f"{pattern}: give an absolute path, hosts have folders of their own")
    if os.path.isdir(pattern):  # Path.is_dir would raise for a folder that hides its content
        raise InputError(f"{pattern} is a directory: name its files, for example {pattern}/*.txt")
    if os.path.isfile(pattern):  # a name with brackets in it is a name first
        paths = [pattern]
    else:
        paths = sorted(glob.iglob(pattern, recursive=True))
        # A glob is silent about folders it may not look into; counts must not be.
        if closed := list(_closed(pattern)):
            raise InputError(
                f"{pattern}: the workers' user ({_user()}) may not enter {_listed(closed)}; "
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
        raise InputError(f"no file matches {pattern}{_blocked(pattern)}")
    return files


def _closed(pattern: str) -> Iterator[str]:
    """Folders the pattern leads into that may not be entered or listed."""
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
            # What is not there is not closed; what is behind a closed folder does not tell.
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


def _more(found: list[str]) -> list[str]:
    return [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []


def _listed(found: list[str]) -> str:
    found = sorted(set(found))
    return ", ".join([*found[:NAMED], *_more(found)])


def _inspect(path: str, whole: bool) -> InputFile | None:
    """A file as it is now; None for a folder. Four system calls a file, as there may be many."""
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        return None
    if not stat.S_ISREG(found.st_mode):  # before it is opened: that may hang, or do something
        raise InputError(f"{path} is not a regular file")
    gzipped = split_reader.is_gzip(path)
    return InputFile(
        path,
        found.st_size,
        found.st_mtime_ns,
        "gzip" if gzipped else "none",
        whole or gzipped,
    )


def _reason(path: str, error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return f"{path}: {error.strerror}"
    return f"{path}: the workers' user ({_user()}) may not read it; allow it with chmod or setfacl"


def _blocked(pattern: str) -> str:
    """Why a glob may match nothing although the files are there: a folder that hides them."""
    for folder in reversed(Path(pattern).parents):
        if folder.is_dir() and not os.access(folder, os.X_OK | os.R_OK):
            return (
                f": the workers' user ({_user()}) may not enter {folder}; "
                "move the files, or allow it with chmod o+rx or setfacl"
            )
    return ""


def _user() -> str:

    return pwd.getpwuid(os.getuid()).pw_name
