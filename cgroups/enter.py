"""Start a program inside its own group, as an unprivileged user.

Runs before every start of a worker, so it imports little. A machine without control groups runs
the program all the same: limits are for experiments, the job is not to depend on them.
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
    """Put this process into the group; False, with the reason on standard error, if impossible."""
    try:
        hierarchy().enter(group, os.getpid())
    except (Unusable, GroupError, OSError) as error:
        sys.stderr.write(f"runs outside a control group, cannot be slowed down: {error}\n")
        sys.stderr.flush()
        return False
    return True


def become(user: str) -> None:
    """Give up root for good. Raises KeyError for an unknown user, PermissionError if not root."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def execute(group: str, user: str | None, command: list[str]) -> NoReturn:
    """Enter the group, become the user, and be replaced by the command."""
    enter(group)
    if user is not None:
        become(user)
    # Python ignores SIGPIPE, and what is ignored stays so in the program that follows.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - that is what it is for
