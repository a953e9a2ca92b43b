"""crash-worker: a worker told to die at a named place of its own code.

The order is a file of the worker's, which it reads at its start and at SIGUSR1. It is written as
the worker's user: root does not write where somebody else could have put a link.
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
    wanted = json.dumps({"at": at, "probability": probability, "once": once})
    write = f"printf '%s\\n' {shlex.quote(wanted)} >{path}.new && mv -fT {path}.new {path}"
    user = target.inventory.worker_user
    # One that does not run reads the file when it starts.
    tell = f'pid=$({target.pid}) && [ "$pid" -gt 0 ] && kill -USR1 "$pid" || :'
    often = "once" if once else "every time" if probability == 1 else f"with chance {probability:g}"
    return Harm(
        text=f"crashes at {at}, {often}",
        apply=f"runuser -u {user} -- sh -c {shlex.quote(write)} && {{ {tell}; }}",
        heal=f"rm -f {path} && {{ {tell}; }}",
    )
