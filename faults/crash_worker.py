"""crash-worker: makes a worker die at a crash point, a named place of its code.

The worker reads a file with the point at its start and at SIGUSR1. The file is written as the
worker's user: root must not write where another user could have put a link.
"""

from __future__ import annotations

import json
import shlex

from faults.registry import Harm, fault
from faults.targets import Target

POINTS = (
    "after-claim",
    "while-counting",
    "before-commit",
    "between-commits",
    "after-first-ack",
    "before-ack-handled",
    "before-exit",
)


@fault("crash-worker", needs="a worker of this version", ends="fab crash-worker --off")
def crash_worker(target: Target, at: str, probability: float, once: bool) -> Harm:
    path = f"{target.folder}/crash/{target.name}.json"
    point = json.dumps({"at": at, "probability": probability, "once": once})
    write = f"printf '%s\\n' {shlex.quote(point)} >{path}.new && mv -fT {path}.new {path}"
    user = target.inventory.worker_user
    # A worker that does not run now reads the file when it starts.
    signal = f'pid=$({target.pid}) && [ "$pid" -gt 0 ] && kill -USR1 "$pid" || :'
    often = "once" if once else "every time" if probability == 1 else f"with chance {probability:g}"
    return Harm(
        text=f"crashes at {at}, {often}",
        apply=f"runuser -u {user} -- sh -c {shlex.quote(write)} && {{ {signal}; }}",
        heal=f"rm -f {path} && {{ {signal}; }}",
    )
