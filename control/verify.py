"""Verifying a job: recount its inputs serially, compare every word with every replica.

The recount runs on hosts that have the files, the comparison on each replica's host; only the
recounted words travel. The verdict is "valid" (equal), "invalid" (a word differs) or "unknown" (it
could not be told; the reason says why). Only "valid" passes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from control.cluster import Answer, Cluster, HostError
from control.formats import plural, size
from control.host_file import host_file
from control.jobs.job_start import require
from control.jobs.job_state import ask, job_state
from provision.connect.hosts import answers
from provision.exit_codes import DONE, FAILED, UNKNOWN
from provision.inventory.model import Host

#: Exit codes of the verdicts.
EXIT = {"valid": DONE, "invalid": FAILED, "unknown": UNKNOWN}


def verify(
    cluster: Cluster,
    name: str,
    limit: int,
    report: Callable[[str], None],
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns {"verdict", "job", "words", "tokens", "replicas", "differences", "reason",
    "without"}: the hosts named there are gone; others recount their files.

    ``replicas`` maps each to its compared numbers of words; ``differences`` lists
    [replica, form, word, expected, found]; ``reason`` says why a verdict is unknown.
    ``report`` is called with what is being done, and how much of it is. Raises JobError.
    """
    spec = require(cluster, name)
    answer: dict[str, Any] = {
        "verdict": "unknown",
        "job": spec["name"],
        "words": 0,
        "tokens": 0,
        "replicas": {},
        "differences": [],
        "reason": "",
        "without": sorted(without),
    }
    there = [host for host in cluster.inventory.replicas if host.name not in without]
    replies = ask(cluster, spec["name"], there)
    if reason := _unfinished(spec["name"], replies):
        return answer | {"reason": reason}
    progress = _RecountProgress(replies, spec["origins"], report)
    try:
        expected = recount(cluster, spec, progress.update, there)
    except HostError as error:
        return answer | {"reason": str(error)}
    answer |= {"words": len(expected), "tokens": expected.total()}
    names = ", ".join(host.name for host in there)
    report(f"comparing {plural(len(expected), 'distinct word')} with what is on {names}")
    compared = compare(cluster, spec, expected, limit, there)
    missing = []
    for replica, found in compared.items():
        if isinstance(found, HostError):
            missing.append(str(found))
            continue
        answer["replicas"][replica] = {key: found[key] for key in ("merged", "published")}
        answer["replicas"][replica]["different"] = found["different"]
        answer["differences"] += [[replica, *row] for row in found["differences"]]
    if any(found["different"] for found in answer["replicas"].values()):
        answer["verdict"] = "invalid"
    elif missing:
        answer["reason"] = "; ".join(missing)
    else:
        answer["verdict"] = "valid"
    return answer


class _RecountProgress:
    """How many bytes of all are counted again."""

    def __init__(
        self, replies: dict[str, Answer], origins: list[str], report: Callable[[str], None]
    ) -> None:
        outcomes = [replies[o]["job"]["outcome"] for o in origins if o in replies]
        # Nobody knows how much hosts that are not there had.
        known = len(outcomes) == len(origins)
        self._of = f" of {size(sum(outcome['bytes'] for outcome in outcomes))}" if known else ""
        self._read: dict[str, int] = {}
        self._report = report

    def update(self, origin: str, done: int) -> None:
        self._read[origin] = done
        read = size(sum(self._read.values()))
        self._report(f"counting again, serially: {read}{self._of} read")


def _unfinished(name: str, replies: dict[str, Answer]) -> str:
    """Why the job cannot be verified yet, or ''."""
    found = job_state(name, replies)
    if found is None:
        return "; ".join(f"{host}: {why.get('error', 'no job')}" for host, why in replies.items())
    if found.state == "incomplete":
        return (
            f"the job is incomplete: {plural(len(found.dead), 'split was', 'splits were')} given up"
        )
    if found.silent:
        silent = "; ".join(f"{host} does not answer ({why})" for host, why in found.silent.items())
        return f"{silent}; what is gone for good: fab verify --without {','.join(found.silent)}"
    return "" if found.complete else f"the job has not ended: it is {found.state}{found.waiting}"


def recount(
    cluster: Cluster, spec: Answer, report: Callable[[str, int], None], there: Sequence[Host]
) -> Counter[str]:
    """The words of a job's inputs, counted serially by the hosts `there`. Raises HostError."""
    # Each origin recounts its own files; the first host recounts those of origins not `there`.
    names = {host.name for host in there}
    shares = {
        origin: cluster.inventory.host(origin) if origin in names else there[0]
        for origin in spec["origins"]
    }

    def count(host: Host) -> Counter[str]:
        counts: Counter[str] = Counter()
        for origin in [origin for origin, counter in shares.items() if counter == host]:
            counts.update(_recount_origin(cluster, spec, host, origin, report))
        return counts

    total: Counter[str] = Counter()
    for counts in answers(cluster.on_all(count, set(shares.values()))).values():
        total.update(counts)
    return total


def _recount_origin(
    cluster: Cluster, spec: Answer, host: Host, origin: str, report: Callable[[str, int], None]
) -> Counter[str]:
    with host_file(cluster, host, "recount") as there:
        words = ("recount", "--job", spec["name"], "--origin", origin, "--out", there.path)
        for line in cluster.stream(host, *words):
            if "done" in line:
                report(origin, int(line["done"]))
        return Counter(json.loads(there.get()))


def compare(
    cluster: Cluster, spec: Answer, expected: Counter[str], limit: int, there: Sequence[Host]
) -> dict[str, Answer | HostError]:
    """Each replica compared with `expected`: {"merged", "published", "different", "differences"}.

    The first three are numbers of words; there are at most `limit` differences.
    """
    table = json.dumps(expected).encode()

    def on(host: Host) -> Answer:
        with host_file(cluster, host, "expected") as file:
            file.put(table)
            words = ("--job", spec["name"], "--expected", file.path, "--limit", str(limit))
            return cluster.ask(host, "compare", *words, timeout=None)

    return cluster.on_all(on, there)
