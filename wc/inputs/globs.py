"""Matching a path by a glob, as expanding the glob would have found it, though the file is gone."""

from __future__ import annotations

import re
from collections.abc import Callable

#: One name's part that matches more than itself: a star, a question mark, a set of characters.
MAGIC = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")
#: Any folders, none of them hidden.
FOLDERS = r"(?:[^./][^/]*/)*"


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path is named by ``pattern``: by itself, or as a glob in which ``**`` crosses
    folders. As in the shell, what begins with a dot is only matched by a dot."""
    *folders, last = pattern.split("/")
    regex = "".join(FOLDERS if part == "**" else _name(part) + "/" for part in folders)
    regex += FOLDERS + r"[^./][^/]*" if last == "**" else _name(last)
    whole = re.compile(regex, re.DOTALL)
    return lambda path: path == pattern or whole.fullmatch(path) is not None


def _name(part: str) -> str:
    found = [r"(?!\.)"] if MAGIC.match(part) else []
    at = 0
    for magic in MAGIC.finditer(part):
        found += [re.escape(part[at : magic.start()]), _magic(magic[0])]
        at = magic.end()
    return "".join([*found, re.escape(part[at:])])


def _magic(sign: str) -> str:
    if sign in "*?":
        return "[^/]*" if sign == "*" else "[^/]"
    inside = sign[1:-1].replace("\\", "\\\\").replace("[", "\\[")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
