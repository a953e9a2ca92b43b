"""Matching a path against a glob without the file system, as the file may be deleted by now.

The result is what expanding the glob would have given while the file existed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: A wildcard within a name: a star, a question mark, or a set of characters.
MAGIC = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
#: Matches any number of folders that are not hidden.
FOLDERS = r"(?:[^./][^/]*/)*"


def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that tells whether ``pattern`` matches a path: literally, or as a glob in which
    ``**`` crosses folders. As in the shell, a leading dot is only matched by a dot."""
    *folders, last = pattern.split("/")
    regex = "".join(FOLDERS if part == "**" else name_regex(part) + "/" for part in folders)
    regex += FOLDERS + r"[^./][^/]*" if last == "**" else name_regex(last)
    whole = re.compile(regex, re.DOTALL)
    return lambda path: path == pattern or whole.fullmatch(path) is not None


def name_regex(part: str) -> str:
    """The regular expression of one name between slashes."""
    regex = [r"(?!\.)"] if MAGIC.match(part) else []
    at = 0
    for magic in MAGIC.finditer(part):
        regex += [re.escape(part[at : magic.start()]), _magic(magic[0])]
        at = magic.end()
    return "".join([*regex, re.escape(part[at:])])


def _magic(sign: str) -> str:
    if sign in "*?":
        return "[^/]*" if sign == "*" else "[^/]"
    inside = sign[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
