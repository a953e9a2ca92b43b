"""Revising a job's files: retracting some, and counting what changed since.

Every origin gets the next revision of its manifest, in two steps as when a job starts: prepared on
all, then activated on all. A changed file stays with its origin: one manifest retracts its old
splits and adds the new ones. So a revision that was interrupted leaves every file either as it was
or as it is now, and the same command again completes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from control.cluster import Answer, Cluster
from control.deal_files import SIZE, Row, deal, files_per_split
from control.jobs.input_patterns import shown
from control.jobs.job_start import JobError, Request, require
from control.jobs.plan_files import plan
from provision.connect.hosts import answers
from provision.inventory.model import Host


@dataclass(frozen=True)
class Revision:
    """What a revision changed: numbers of files, and of splits to count and to retract."""

    new: int = 0
    changed: int = 0
    deleted: int = 0
    retracted: int = 0
    counted: int = 0
    retracted_splits: int = 0


def retract(cluster: Cluster, name: str, pattern: str) -> tuple[Answer, Revision]:
    """Retract the counts of the files that match. Raises JobError, HostError."""
    spec = require(cluster, name)
    found = _files(cluster, spec, "--input", pattern)
    retracted = {origin: [row[0] for row in answer["files"]] for origin, answer in found.items()}
    if not any(retracted.values()):
        raise JobError(f"job {spec['name']} counts no file that matches {shown(pattern)}")
    return spec, _revise(cluster, spec, found, retracted, {}, Revision(retracted=_sum(retracted)))


def update(cluster: Cluster, request: Request) -> tuple[Answer, Revision]:
    """Count files that are new or changed, retract those changed or deleted.

    If nothing changed, no revision is made. Raises JobError, HostError.
    """
    spec = require(cluster, request.name)
    if request.input and request.input != spec["input"]:
        raise JobError(
            f"job {spec['name']} counts {shown(spec['input'])}, not {shown(request.input)}; "
            "leave --input out to update it"
        )
    found, retracted, added, changes = _compare(cluster, spec)
    return spec, _revise(cluster, spec, found, retracted, added, changes)


def changes_since(cluster: Cluster, spec: Answer) -> Revision:
    """Which files are new, changed or deleted since the job counted them. Raises HostError."""
    *_, changes = _compare(cluster, spec)
    return changes


def _compare(
    cluster: Cluster, spec: Answer
) -> tuple[dict[str, Answer], dict[str, list[str]], dict[str, list[Row]], Revision]:
    """A job's files as counted, by origin; which of them to retract; which to add; and how many.

    Raises HostError.
    """
    found = _files(cluster, spec)
    now = plan(cluster, spec["input"], spec["tokenizer"], spec["shared"], none_ok=True)
    owner = {row[0]: (o, row) for o, answer in found.items() for row in answer["files"]}
    retracted: dict[str, list[str]] = {origin: [] for origin in found}
    added: dict[str, list[Row]] = {origin: [] for origin in found}
    new_shared: list[Row] = []
    present: set[tuple[str, str]] = set()
    changed = 0
    for origin, rows in now.items():
        for row in rows:
            # Where files are shared, the one listing is of all origins' files.
            holder, before = _counted_as(found, owner, row[0], origin, shared=spec["shared"])
            if before is None:
                (new_shared if spec["shared"] else added[origin]).append(row)
                continue
            present.add((holder, row[0]))
            if before != row:
                changed += 1
                retracted[holder].append(row[0])
                added[holder].append(row)
    deleted = 0
    for origin, answer in found.items():
        for row in answer["files"]:
            if (origin, row[0]) not in present:
                deleted += 1
                retracted[origin].append(row[0])
    new = len(new_shared) + _sum(added) - changed
    for origin, rows in _deal(new_shared, sorted(found)).items():
        added[origin] += rows
    return found, retracted, added, Revision(new=new, changed=changed, deleted=deleted)


def _counted_as(
    found: dict[str, Answer],
    owner: dict[str, tuple[str, Row]],
    path: str,
    origin: str,
    *,
    shared: bool,
) -> tuple[str, Row | None]:
    """Which origin counts a path, and the row of its manifest; None if no origin does."""
    if shared:
        return owner.get(path, (origin, None))
    mine = {row[0]: row for row in found[origin]["files"]} if origin in found else {}
    return origin, mine.get(path)


def _deal(rows: list[Row], origins: list[str]) -> dict[str, list[Row]]:
    return deal(sorted(rows, key=lambda row: (-row[SIZE], row[0])), origins)


def _sum(lists: dict[str, list[Any]]) -> int:
    return sum(map(len, lists.values()))


def _files(cluster: Cluster, spec: Answer, *words: str) -> dict[str, Answer]:
    return answers(
        cluster.on_all(
            lambda host: cluster.ask(host, "files", "--job", spec["name"], *words),
            _origins(cluster, spec),
        )
    )


def _origins(cluster: Cluster, spec: Answer) -> list[Host]:
    return [cluster.inventory.host(name) for name in spec["origins"]]


def _revise(
    cluster: Cluster,
    spec: Answer,
    found: dict[str, Answer],
    retracted: dict[str, list[str]],
    added: dict[str, list[Row]],
    changes: Revision,
) -> Revision:
    revisions = {answer["revision"] for answer in found.values()}
    if not _sum(retracted) and not _sum(added) and len(revisions) == 1:
        return changes
    following = max(revisions) + 1

    def prepare(host: Host) -> Answer:
        rows = added.get(host.name, [])
        request = {
            "revision": following,
            "retracted": retracted.get(host.name, []),
            "files": rows,
            "share": files_per_split(rows),
        }
        return cluster.ask(host, "revise", "--job", spec["name"], stdin=json.dumps(request))

    def activate(host: Host) -> Answer:
        words = ("--job", spec["name"], "--revision", str(following))
        return cluster.ask(host, "activate", *words)

    hosts = _origins(cluster, spec)
    prepared = answers(cluster.on_all(prepare, hosts))
    answers(cluster.on_all(activate, hosts))
    return replace(
        changes,
        counted=sum(answer["counted"] for answer in prepared.values()),
        retracted_splits=sum(answer["retracted_splits"] for answer in prepared.values()),
    )
