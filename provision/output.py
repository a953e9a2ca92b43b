"""Standard output: the JSON printer, and a quiet end when nobody reads on (`fab ... | head`).

SIGPIPE's own action would not do: it would also kill a command when a child or a connection to a
host breaks off, and would leave running what the command had started on hosts.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO

#: The exit code that a shell reports for a program that SIGPIPE ended.
UNREAD = 141


def print_json(answer: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def print_text(text: str, out: TextIO | None = None) -> None:
    """Lines for people, on standard output by default: on a terminal folded between words, and
    elsewhere as they are."""
    out = sys.stdout if out is None else out
    if out.isatty():
        width = shutil.get_terminal_size().columns
        text = "\n".join(folded(line, width) for line in text.split("\n"))
    out.write(f"{text}\n")
    out.flush()


def folded(line: str, width: int) -> str:
    """The line with no more than `width` characters in a row, unless a word has more."""
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(
        line,
        width,
        subsequent_indent=indent + "  " * bool(indent),
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


class _Stdout(io.FileIO):
    """Raises SystemExit(UNREAD) instead of BrokenPipeError; later writes go to /dev/null."""

    unread = False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except BrokenPipeError:
            self.unread = True
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            raise SystemExit(UNREAD) from None


def end_when_unread() -> None:
    """From now on a write to a closed standard output ends the program, with UNREAD."""
    old = sys.stdout
    if not isinstance(old, io.TextIOWrapper):  # none at all, after `>&-`
        return
    old.flush()
    raw = _Stdout(old.fileno(), "w", closefd=False)
    unbuffered = old.write_through  # python -u
    sys.stdout = io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=old.encoding,
        errors=old.errors,
        line_buffering=old.line_buffering,
        write_through=unbuffered,
    )
    atexit.register(_leave, raw)


def _leave(raw: _Stdout) -> None:
    """Write what is still buffered: the interpreter ignores an error of its own last flush."""
    with suppress(SystemExit):
        sys.stdout.flush()
    if raw.unread:
        os._exit(UNREAD)
