"""Runs on a host, from standard input: ends the processes of one data folder.

    python3 -I - FOLDER UID... [--now]

These work inside the folder, and run as one of the users or name the folder on their command line:
a person's shell inside the folder does neither. supervisord gets SIGTERM first and ends its
programs; the rest get SIGTERM, then SIGKILL. With --now all get SIGKILL at once.
Standard library only. Exit codes: 0 no process is left, 1 a process does not die.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

SUPERVISORD_SECONDS = 15
TERM_SECONDS = 3
KILL_SECONDS = 30  # on a busy machine a large process takes long to end
POLL_SECONDS = 0.02


def processes(folder: str, uids: set[int]) -> dict[int, str]:
    """Command lines of the folder's processes by process id."""
    commands = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            where = os.readlink(f"/proc/{name}/cwd").removesuffix(" (deleted)")
            if where != folder and not where.startswith(folder + "/"):
                continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
            if os.stat(f"/proc/{name}").st_uid in uids or f"{folder}/" in command:
                commands[int(name)] = command
    return commands


def send(pids: Iterable[int], *signals: int) -> None:
    for pid in pids:
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def main(folder: str, uids: set[int], now: bool) -> int:
    def named(text: str) -> list[int]:
        return [pid for pid, command in processes(folder, uids).items() if text in command]

    def wait_for_end(text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while named(text) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    if not now:
        send(named("supervisord"), signal.SIGTERM)
        wait_for_end("supervisord", SUPERVISORD_SECONDS)
        # A stopped process handles SIGTERM only after SIGCONT.
        send(named(""), signal.SIGTERM, signal.SIGCONT)
        wait_for_end("", TERM_SECONDS)
    deadline = time.monotonic() + KILL_SECONDS
    while left := processes(folder, uids):
        if time.monotonic() > deadline:
            print(f"do not die: {left}", file=sys.stderr)
            return 1
        # supervisord first, or it starts again the programs that are killed before it.
        send([pid for pid, command in left.items() if "supervisord" in command], signal.SIGKILL)
        send(left, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    return 0


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--now"]
    sys.exit(main(arguments[0], {int(uid) for uid in arguments[1:]}, "--now" in sys.argv))
