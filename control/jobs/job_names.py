"""The names of jobs: automatic ones, those of deleted jobs, and names that are like another.

A name is not used twice, because a late write of the deleted job could count in the new one
(docs/adr/0025-deleted-jobs.md). A job that is started under a deleted job's name is stored under
that name and a number, and is found by either.
"""

from __future__ import annotations

import difflib
import re
import secrets
import string
import time
from dataclasses import dataclass
from itertools import count

from control.cluster import Cluster, HostError
from provision.connect.hosts import answers

#: How many names a message has.
SHOWN = 5
#: Of automatic names.
LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Names:
    """The names of the jobs, oldest first, and of the deleted ones, on any host that answers."""

    jobs: list[str]
    deleted: set[str]


def ask(cluster: Cluster) -> Names:
    """Raises HostError if no host answers."""
    found = cluster.on_all(lambda host: cluster.ask(host, "names"), cluster.inventory.origins)
    known = [answer for answer in found.values() if not isinstance(answer, HostError)]
    if not known:
        answers(found)
    deleted = {name for answer in known for name in answer["deleted"]}
    jobs = dict.fromkeys(name for answer in known for name in answer["jobs"])
    return Names([name for name in jobs if name not in deleted], deleted)


def automatic() -> str:
    """A name made from the time, that no other job has."""
    chance = "".join(secrets.choice(LETTERS) for _ in range(5))
    return f"{time.strftime('job-%Y%m%d-%H%M%S')}-{chance}"


def free(name: str, names: Names) -> str:
    """The name under which a job of this name is stored: it, unless a deleted job had it."""
    if name not in names.deleted:
        return name
    numbered = (f"{name}.{number}" for number in count(2))
    return next(n for n in numbered if n not in names.deleted and n not in names.jobs)


def successor(name: str, names: Names) -> str | None:
    """The job that was started under a deleted job's name last; None without one."""
    if name not in names.deleted:
        return None
    shape = re.compile(rf"{re.escape(name)}\.[0-9]+")
    return next((job for job in reversed(names.jobs) if shape.fullmatch(job)), None)


def missing(name: str, names: Names) -> str:
    """That there is no such job, with names that are like it."""
    start = "start one: fab start-job --input '/path/*.txt'"
    if not name:
        return f"no job on this cluster yet; {start}"
    text = f"no job {name!r} on this cluster{' (it was deleted)' * (name in names.deleted)}"
    like = difflib.get_close_matches(name, names.jobs, SHOWN)
    like += [job for job in reversed(names.jobs) if name in job and job not in like]
    if like:
        return f"{text}; did you mean {' or '.join(like[:SHOWN])}?"
    latest = ", ".join(names.jobs[: -SHOWN - 1 : -1])
    return f"{text}; " + (f"the latest are {latest}" if latest else start)
