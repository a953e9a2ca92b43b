"""`fab top`, `count`, `verify` and `read-repair`: arguments as typed in, an exit code out.

1: counts or replicas differ. With ``as_json`` standard output is one JSON object; everything else
goes to standard error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from control import options
from control import verify as verify_job
from control.cluster import Answer, Cluster
from control.formats import plural
from control.jobs import job_start
from control.jobs.job_results import absence_lines, verdict_lines
from control.jobs.job_state import ask, job_state, latest
from control.progress_bar import activity
from control.read_repair import read_repair as repair_replicas
from control.read_repair import repair_lines, replica_names
from provision.exit_codes import DONE, FAILED, UsageError
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory
from provision.output import print_json, print_text

#: The default of `verify --limit`, as typed.
DIFFERENCES = "10"


def top_words(cluster: Cluster, job: str, limit: int, *, repair_first: bool = False) -> Answer:
    """The most frequent words of a job, by the first host that answers. Raises HostError."""
    words = ["top", "--job", job, "--limit", str(limit), *(["--repair"] if repair_first else [])]
    return cluster.first(lambda host: cluster.ask(host, *words), cluster.inventory.replicas)


def top(
    inventory_path: Typed, *, job: Typed, limit: Typed, repair_first: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    most = inventory.job.top if limit is None else options.ROWS.option("--limit", limit)
    with Cluster(inventory) as cluster:
        name, state = _state(cluster, job or "")
        answer = top_words(cluster, name, most, repair_first=repair_first)
        answer |= _state(cluster, name)[1] if repair_first else state
    if as_json:
        print_json(answer)
    else:
        # Programs need no tables, and rich takes long to import.
        from control.word_table import print_words  # noqa: PLC0415

        for text in repair_lines(answer["repair"], check=False) if repair_first else []:
            print_text(text)
        print_text(_title(answer))
        print_words(answer["words"])
    return DONE


def _state(cluster: Cluster, job: str) -> tuple[str, Answer]:
    """The name of the named or latest job, and what state the whole of it is in. The words, which
    are those of one replica, are asked for afterwards: so they are never behind this.

    Raises JobError, HostError.
    """
    answers = ask(cluster, job)
    name = job or latest(answers.values())
    if any(a["job"] is None or a["job"]["name"] != name for a in answers.values()):
        # Not every replica has that job: one was deleted, is new, or there is none.
        name = str(job_start.require(cluster, job)["name"])
        answers = ask(cluster, name)
    found = job_state(name, answers)
    state = {"state": "unknown", "complete": False, "waits_for": []}
    return name, found.figures() if found else state


def _title(answer: Answer) -> str:
    total = "? splits" if answer["total"] is None else plural(answer["total"], "split")
    lines = [
        f"{answer['job']} on {answer['host']}: {answer['state']}, {answer['applied']}/{total}",
        *(f"  waits for {reason}" for reason in answer["waits_for"]),
    ]
    return "\n".join(lines)


def count(
    inventory_path: Typed, *, words: Typed, word: Sequence[str] | None, job: Typed, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    asked = [*(words or "").split(), *(word or ())]
    if not asked:
        raise UsageError("--words is missing: name the words, --words 'the of'")
    for one in asked:
        try:
            one.encode()
        except UnicodeEncodeError:
            raise UsageError(f"--words {one!r}: not UTF-8, as every counted word is") from None
    with Cluster(inventory) as cluster:
        name, state = _state(cluster, job or "")
        answer = cluster.first(
            lambda host: cluster.ask(host, "count", "--job", name, stdin=json.dumps(asked)),
            inventory.replicas,
        )
        answer |= state
    if as_json:
        print_json(answer)
    else:
        from control.word_table import print_words  # noqa: PLC0415 - as above

        print_text(_title(answer))
        print_words(answer["words"])
        for text in absence_lines(answer):
            print_text(text)
    return DONE


def verify(
    inventory_path: Typed, *, job: Typed, limit: Typed, without: Typed, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    without_hosts = replica_names("--without", without, inventory)
    if len(without_hosts) == len(inventory.replicas):
        raise UsageError("--without: at least one replica must be left to compare")
    most = options.ROWS.option("--limit", limit or DIFFERENCES)
    started = time.monotonic()
    with Cluster(inventory) as cluster, activity() as report:
        report("counting again, serially")
        answer = verify_job.verify(cluster, job or "", most, report, without_hosts)
    if as_json:
        print_json(answer)
    else:
        for text in verdict_lines(answer, time.monotonic() - started):
            print_text(text)
    return verify_job.EXIT[answer["verdict"]]


def read_repair(
    inventory_path: Typed, *, job: Typed, sources: Typed, targets: Typed, check: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    givers = replica_names("--from", sources, inventory)
    takers = replica_names("--to", targets, inventory)
    with Cluster(inventory) as cluster:
        if job:
            job = str(job_start.require(cluster, job)["name"])
        with activity() as report:
            report("comparing the replicas" if check else "comparing and repairing the replicas")
            answer = repair_replicas(cluster, job or "", givers, takers, check=check)
    if as_json:
        print_json(answer)
    else:
        for text in repair_lines(answer, check=check):
            print_text(text)
    return DONE if answer["converged"] else FAILED
