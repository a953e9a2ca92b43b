"""Verifying a job: recount its inputs serially, compare every word with every replica.

The recount runs where the files are, the comparison where the replica is; what travels
is the recount. The verdict has three values, and only "valid" passes: "invalid" means
that a word differs, "unknown" that it could not be told, which is said with its reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from control.cluster import Answer, Cluster, HostError, answers
from control.jobs import require
from provision.inventory import Host

#: Exit codes of the verdicts.
EXIT = {"valid": 0, "invalid": 1, "unknown": 2}


def verify(
    cluster: Cluster, name: str, limit: int, report: Callable[[str, int], None]
) -> dict[str, Any]:
    """Returns {"verdict", "job", "words", "tokens", "replicas", "differences", "reason"}.

    ``replicas`` maps each to its compared numbers of words; ``differences`` lists
    [replica, form, word, expected, found]; ``reason`` says why a verdict is unknown.
    ``report(origin, bytes)`` hears of the recount's progress. Raises JobError.
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
    }
    if reason := _unfinished(cluster, spec):
        return answer | {"reason": reason}
    try:
        expected = recount(cluster, spec, report)
    except HostError as error:
        return answer | {"reason": str(error)}
    answer |= {"words": len(expected), "tokens": expected.total()}
    compared = compare(cluster, spec, expected, limit)
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


def _unfinished(cluster: Cluster, spec: Answer) -> str:
    """Why the job cannot be verified yet, or ''."""
    states = cluster.on_all(
        lambda host: cluster.ask(host, "state", "--job", spec["name"]), cluster.inventory.replicas
    )
    for name, state in states.items():
        if isinstance(state, HostError):
            return str(state)
        if not state["reachable"]:
            return f"{name}: its Redis does not answer ({state['error']})"
        job = state["job"]
        if job is None:
            return f"{name}: its replica does not know the job yet"
        if job["dead"]:
            return f"the job is incomplete: {len(job['dead'])} splits were given up"
        origins = job["origins"].values()
        if not job["published"] or any(o["total"] is None for o in origins):
            applied = sum(o["applied"] for o in origins)
            return f"{name}: the job has not ended there ({applied} splits applied)"
    return ""


def recount(cluster: Cluster, spec: Answer, report: Callable[[str, int], None]) -> Counter[str]:
    """The words of a job's inputs, counted serially where the files are. Raises HostError."""

    def count(host: Host) -> Counter[str]:
        path = f"{cluster.inventory.folder(host)}/jobs/{spec['name']}/recount.json"
        for line in cluster.follow(host, "recount", "--job", spec["name"], "--out", path):
            if "done" in line:
                report(host.name, int(line["done"]))
        connector = cluster.connector(host)
        counts: Counter[str] = Counter(json.loads(connector.get(path)))
        connector.run(f"rm -f {path}")
        return counts

    hosts = [cluster.inventory.host(origin) for origin in spec["origins"]]
    total: Counter[str] = Counter()
    for counts in answers(cluster.on_all(count, hosts)).values():
        total.update(counts)
    return total


def compare(
    cluster: Cluster, spec: Answer, expected: Counter[str], limit: int
) -> dict[str, Answer | HostError]:
    """What each replica has instead of `expected`: {"merged", "published", "different",
    "differences"}, at most `limit` of the last."""
    table = json.dumps(expected).encode()
    user = cluster.inventory.worker_user

    def on(host: Host) -> Answer:
        path = f"{cluster.inventory.folder(host)}/jobs/{spec['name']}-expected.json"
        connector = cluster.connector(host)
        connector.put(table, path, owner=user, mode=0o600)
        try:
            return cluster.ask(
                host,
                "compare",
                "--job",
                spec["name"],
                "--expected",
                path,
                "--limit",
                str(limit),
                timeout=None,
            )
        finally:
            connector.run(f"rm -f {path}")

    return cluster.on_all(on, cluster.inventory.replicas)
