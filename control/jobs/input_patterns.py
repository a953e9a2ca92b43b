"""The globs of a job, as typed: made absolute, `{a,b}` expanded, and kept as one text.

A specification has its globs in one string, a line each: so hosts of an earlier version, which know
of one glob only, find no file instead of only some.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from provision.exit_codes import UsageError

#: The innermost alternatives, as shells have them; `[{]` is the sign itself.
BRACES = re.compile(r"(?<!\[)\{([^{}]*,[^{}]*)\}")
#: What shells have besides.
SEQUENCE = re.compile(r"(?<!\[)\{\w+\.\.\w+\}")


def joined(typed: Sequence[str]) -> str:
    """The globs as a specification has them: absolute, as hosts have other working folders.

    Raises UsageError.
    """
    patterns: list[str] = []
    for text in typed:
        if not text or "\n" in text:
            raise UsageError(f"--input {text!r}: a glob is neither empty nor of several lines")
        path = os.path.abspath(os.path.expanduser(text))
        if (found := SEQUENCE.search(path)) and not os.path.exists(path):
            raise UsageError(f"--input {text!r}: instead of {found[0]} write [0-9], or {{a,b}}")
        patterns += [path] if os.path.exists(path) else _alternatives(path)
    return "\n".join(dict.fromkeys(patterns))


def shown(patterns: str) -> str:
    """The globs of a specification for a message."""
    return " ".join(patterns.split("\n"))


def _alternatives(pattern: str) -> Iterator[str]:
    """`x{a,b}` is xa and xb."""
    match = BRACES.search(pattern)
    if not match:
        yield pattern
        return
    for word in match[1].split(","):
        yield from _alternatives(pattern[: match.start()] + word + pattern[match.end() :])
