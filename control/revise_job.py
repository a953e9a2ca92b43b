"""Revising a job's files: taking some back, and counting what changed since.

Every origin gets the next revision of its manifest, in two steps as a job's start: prepared on
all, then activated on all. A changed file stays with its origin, whose one manifest takes the
old splits back and adds the new ones; so a revision that was cut short leaves every file either
as it was or as it is now, and doing it again completes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from control.cluster import Answer, Cluster
from control.deal_files import SIZE, Row, deal, share
from control.job_start import JobError, Request, absolute, plan, require
from provision.connect.hosts import answers
from provision.inventory.model import Host


@dataclass(frozen=True)
class Revision:
    """What a revision changed: numbers of files, and of splits to count and taken back."""

    new: int = 0
    changed: int = 0
    deleted: int = 0
    retracted: int = 0
    counted: int = 0
    taken_back: int = 0


def retract(cluster: Cluster, name: str, pattern: str) -> tuple[Answer, Revision]:
    """Take back the counts of the files that match. Raises JobError, HostError."""
    spec = require(cluster, name)
    found = _files(cluster, spec, "--input", absolute(pattern))
    gone = {origin: [row[0] for row in answer["files"]] for origin, answer in found.items()}
    if not any(gone.values()):
        raise JobError(f"job {spec['name']} counts no file that matches {absolute(pattern)}")
    return spec, _revise(cluster, spec, found, gone, {}, Revision(retracted=_sum(gone)))


def update(cluster: Cluster, request: Request) -> tuple[Answer, Revision]:
    """Count what is new or changed, take back what changed or is gone. Raises JobError, HostError.

    A revision in which nothing changed is none.
    """
    spec = require(cluster, request.name)
    if request.input and absolute(request.input) != spec["input"]:
        raise JobError(
            f"job {spec['name']} counts {spec['input']}, not {absolute(request.input)}; "
            "leave --input out to update it"
        )
    found = _files(cluster, spec)
    now = plan(cluster, spec["input"], spec["tokenizer"], spec["shared"], none_ok=True)
    owner = {row[0]: (o, row) for o, answer in found.items() for row in answer["files"]}
    gone: dict[str, list[str]] = {origin: [] for origin in found}
    added: dict[str, list[Row]] = {origin: [] for origin in found}
    fresh: list[Row] = []
    present: set[tuple[str, str]] = set()
    changed = 0
    for origin, rows in now.items():
        for row in rows:
            # Where files are shared, one listing speaks for all origins.
            holder, known = _known(found, owner, row[0], origin, shared=spec["shared"])
            if known is None:
                (fresh if spec["shared"] else added[origin]).append(row)
                continue
            present.add((holder, row[0]))
            if known != row:
                changed += 1
                gone[holder].append(row[0])
                added[holder].append(row)
    deleted = 0
    for origin, answer in found.items():
        for row in answer["files"]:
            if (origin, row[0]) not in present:
                deleted += 1
                gone[origin].append(row[0])
    new = len(fresh) + _sum(added) - changed
    for origin, rows in _deal(fresh, sorted(found)).items():
        added[origin] += rows
    revision = Revision(new=new, changed=changed, deleted=deleted)
    return spec, _revise(cluster, spec, found, gone, added, revision)


def _known(
    found: dict[str, Answer],
    owner: dict[str, tuple[str, Row]],
    path: str,
    origin: str,
    *,
    shared: bool,
) -> tuple[str, Row | None]:
    """Which origin counts a path, and as which file."""
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
    gone: dict[str, list[str]],
    added: dict[str, list[Row]],
    changes: Revision,
) -> Revision:
    revisions = {answer["revision"] for answer in found.values()}
    if not _sum(gone) and not _sum(added) and len(revisions) == 1:
        return changes
    following = max(revisions) + 1

    def prepare(host: Host) -> Answer:
        rows = added.get(host.name, [])
        request = {
            "revision": following,
            "gone": gone.get(host.name, []),
            "files": rows,
            "share": share(rows),
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
        taken_back=sum(answer["taken_back"] for answer in prepared.values()),
    )
