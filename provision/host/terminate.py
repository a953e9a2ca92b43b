"""Runs on a host, from standard input: ends the processes of one data folder.

    python3 -I - FOLDER UID... [--now]

Ours are those working inside the folder that either run as one of our users or name the folder on
their command line; a person's shell standing there is neither. supervisord is told first and ends
its programs itself; what remains is asked, then killed. With --now everything is killed.
Standard library only. Exit codes: 0 nothing is left, 1 something does not die.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

ASK_SUPERVISOR_SECONDS = 15
ASK_SECONDS = 3
KILL_SECONDS = 30  # a busy machine is late with the end of a large process
POLL_SECONDS = 0.02


def ours(folder: str, uids: set[int]) -> dict[int, str]:
    """Command lines of our processes by id."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            where = os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)")
            if where != folder and not where.startswith(folder + "/"):
                continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
            if os.stat(f"/proc/{name}").st_uid in uids or f"{folder}/" in command:
                found[int(name)] = command
    return found


def send(pids: Iterable[int], *signals: int) -> None:
    for pid in pids:
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def main(folder: str, uids: set[int], now: bool) -> int:
    def gone(wanted: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(wanted in command for command in ours(folder, uids).values()):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    if not now:
        supervisors = [p for p, command in ours(folder, uids).items() if "supervisord" in command]
        send(supervisors, signal.SIGTERM)
        gone("supervisord", ASK_SUPERVISOR_SECONDS)
        # A paused process hears SIGTERM only once it goes on.
        send(ours(folder, uids), signal.SIGTERM, signal.SIGCONT)
        gone("", ASK_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while left := ours(folder, uids):
        if time.monotonic() > deadline:
            print(f"do not die: {left}", file=sys.stderr)
            return 1
        # supervisord first, or it starts again what is killed before it.
        send([pid for pid, command in left.items() if "supervisord" in command], signal.SIGKILL)
        send(left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return 0


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--now"]
    sys.exit(main(arguments[0], {int(uid) for uid in arguments[1:]}, "--now" in sys.argv))
