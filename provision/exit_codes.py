"""Exit codes, and the one place where a command's errors are turned into them.

0 done; 1 a check failed, or something is incomplete; 2 wrong usage, or it could not be told;
130 interrupted; 141 nobody read the output to its end, as a shell reports SIGPIPE.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

from provision.output import print_json, print_text

DONE, FAILED, UNKNOWN, INTERRUPTED = 0, 1, 2, 130


class CommandError(Exception):
    """An expected error: its message is all that a person needs. `kind` is for programs."""

    kind = "error"
    code = UNKNOWN


class UsageError(CommandError):
    """Wrong usage: an option, or the inventory."""

    kind = "usage"


class Declined(CommandError):
    """The person who was asked said no."""

    kind = "declined"
    code = FAILED


class Interrupted(CommandError):
    """Ctrl-C, with a message of the command's own."""

    kind = "interrupted"
    code = INTERRUPTED


def exit_code(command: Callable[[], int], *, as_json: bool = False) -> int:
    """The exit code of a command, or of its error, which is printed on standard error.

    With `as_json` standard output is one JSON object on errors too: {"error": {"kind", "message"}}.
    FAULTLINE_DEBUG=1 shows the traceback of an unexpected error. SIGTERM is taken as Ctrl-C is: by
    itself it would leave running what the command has begun on hosts.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = command()
        sys.stdout.flush()
        return code
    except CommandError as error:
        kind, message, code = error.kind, str(error), error.code
    except KeyboardInterrupt:
        kind, message, code = "interrupted", "interrupted: run it again to finish", INTERRUPTED
    except Exception as error:
        if os.environ.get("FAULTLINE_DEBUG") == "1":
            raise
        message = f"{type(error).__name__}: {error} (FAULTLINE_DEBUG=1 shows where)"
        kind, code = "unexpected", UNKNOWN
    print_text(message, sys.stderr)
    if as_json:
        print_json({"error": {"kind": kind, "message": message}})
    return code
