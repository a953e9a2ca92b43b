"""Standard output that nobody reads any more, as in `fab ... | head`, ends the command quietly.

Not by SIGPIPE's own action: that would also kill us when a child or a connection to a host breaks
off, and would leave undone what a command does when it is left: ending what it runs on hosts.
"""

from __future__ import annotations

import atexit
import io
import os
import sys
from contextlib import suppress

#: As a shell tells of a program that SIGPIPE ended.
UNREAD = 141


class _Stdout(io.FileIO):
    """Raises SystemExit(UNREAD) instead of BrokenPipeError; what comes after goes nowhere."""

    unread = False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except BrokenPipeError:
            self.unread = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
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
    """Short output is written only now, and the interpreter ignores what its own flush raises."""
    with suppress(SystemExit):
        sys.stdout.flush()
    if raw.unread:
        os._exit(UNREAD)
