"""Names as people see them: a file's name may hold control characters, or bytes that are no
text."""

from __future__ import annotations

import os


def printable(name: str) -> str:
    """The name, with all that is not printable as Python escapes it."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
