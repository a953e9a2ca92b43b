"""Start a program inside its own group, as an unprivileged user.

It runs at every start of a worker, so it imports little. On a machine without control groups the
program is started all the same: a job must not depend on them.
"""

from __future__ import annotations

import os
import pwd
import signal
import sys
from typing import NoReturn

from cgroups.detect import hierarchy
from cgroups.hierarchy import GroupError, Unusable


def enter(group: str) -> bool:
    """Put this process into the group; False, with a message on standard error, if that fails."""
    try:
        hierarchy().enter(group, os.getpid())
    except (Unusable, GroupError, OSError) as error:
        sys.stderr.write(f"runs outside a control group, cannot be slowed down: {error}\n")
        sys.stderr.flush()
        return False
    return True


def drop_root(user: str) -> None:
    """Become the user for good. Raises KeyError if there is none, PermissionError without root."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def execute(group: str, user: str | None, command: list[str]) -> NoReturn:
    """Enter the group, become the user, and replace this process by the command."""
    enter(group)
    if user is not None:
        drop_root(user)
    # Python ignores SIGPIPE, and the program would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - the command is the caller's
