"""Merging replicas: from some into others, into a state file, or from a state file.

Hosts do the work (``python -m wc repair``, ``export``, ``import``); this module carries the state
file. On a host the file is temporary: it is removed also when something failed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from control.cluster import Answer, Cluster, HostError
from control.formats import plural, size
from control.host_file import host_file
from control.read_repair import read_repair
from provision.inventory.model import Host


def between(cluster: Cluster, sources: Sequence[str], targets: Sequence[str], job: str) -> Answer:
    """Merge the sources' state into the targets. Raises HostError.

    Returns the answer of a read repair: "left" is the number of dots that targets still lack,
    "agreed" whether sources and targets hold the same, "unreachable" names silent replicas.
    """
    return read_repair(cluster, job, [*sources], [*targets], check=False)


def export(cluster: Cluster, source: str, path: Path, job: str) -> Answer:
    """Write one replica's state to a file on this machine. Raises ConnectorError, OSError.

    Returns {"replica", "jobs", "dots", "bytes"}. The file appears only when it is complete.
    """
    host = cluster.inventory.host(source)
    with host_file(cluster, host, "state") as there:
        words = ("export", "--job", job, "--out", there.path)
        answer = cluster.ask(host, *words, timeout=None)
        content = there.get()
    if len(content) != answer["bytes"]:
        raise HostError(source, f"sent {len(content)} bytes of a file of {answer['bytes']}")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(path)
        # The name, too, survives a power cut only once its folder is on disk.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        unfinished.unlink(missing_ok=True)
    return answer


def merge_file(
    cluster: Cluster, path: Path, targets: Sequence[str], job: str
) -> dict[str, Answer | HostError]:
    """Merge a file into the targets, each on its own host. Raises OSError if it cannot be read.

    A target's answer is {"jobs", "copied", "left", "digests": {job: digest}}, or why there is none.
    """
    content = path.read_bytes()  # read once, for all hosts

    def merge(host: Host) -> Answer:
        with host_file(cluster, host, "state") as there:
            there.put(content)
            words = ("import", "--job", job, "--file", there.path, "--target", host.name)
            answer = cluster.ask(host, *words, timeout=None)
        return {"jobs": answer["jobs"], **answer["targets"][host.name]}

    return cluster.on_all(merge, [cluster.inventory.host(name) for name in targets])


def agree(answers: dict[str, Answer]) -> bool:
    """Whether the targets hold the same, and everything that is in the file."""
    states = [answer["digests"] for answer in answers.values()]
    whole = not any(answer["left"] for answer in answers.values())
    return whole and all(state == states[0] for state in states)


def between_lines(answer: Answer, sources: Sequence[str], targets: Sequence[str]) -> list[str]:
    """What a merge between replicas did, in lines for people."""
    givers, takers = ", ".join(sources), ", ".join(targets)
    jobs = ", ".join(answer["jobs"]) or "no job yet"
    copied = plural(answer["copied"], "dot")
    lines = [f"{jobs}: copied {copied} from {givers} to {takers}, {size(answer['bytes'])}"]
    if answer["unreachable"]:
        lines.append(
            f"unreachable: {', '.join(answer['unreachable'])}; merge again when it is back"
        )
    elif answer["left"]:
        lines.append(f"{plural(answer['left'], 'dot')} could not be copied; merge again")
    else:
        lines.append(f"{takers}: nothing of {givers} is missing there")
    every = ", ".join(dict.fromkeys([*sources, *targets]))
    lines.append(f"{every} hold the same" if answer["agreed"] else f"{every} differ")
    return lines


def file_lines(path: Path, answers: dict[str, Answer]) -> list[str]:
    """What merging a file did, in lines for people."""
    lines = []
    for name, answer in answers.items():
        left = f"; {plural(answer['left'], 'dot')} of the file could not be merged"
        lines.append(
            f"{name}: {', '.join(answer['jobs'])}: copied {plural(answer['copied'], 'dot')} from "
            f"{path}{left if answer['left'] else ', which has no more'}"
        )
    if not agree(answers) and len(answers) > 1:
        lines.append(f"{', '.join(answers)} differ; fab read-repair makes them equal")
    return lines
