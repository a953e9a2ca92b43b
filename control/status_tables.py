"""The status of the cluster as tables for people."""

from __future__ import annotations

import hashlib
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from control.formats import plural, size
from control.jobs.job_results import events

STYLES = {"RUNNING": "green", "STARTING": "yellow", "BACKOFF": "yellow"}
#: Digits of a digest that are shown: enough to see whether two are equal.
SHOWN_DIGEST = 8


def render(status: dict[str, Any]) -> RenderableType:
    """The whole status: hosts, replicas, job, faults, and one line that sums up."""
    parts: list[RenderableType] = [_hosts(status), _replicas(status)]
    if status["repair"]:
        parts.append(_repair(status["repair"]))
    if status["planning"]:
        parts.append(Text(f"planning a job: {status['planning']:,} files so far"))
    if status["job"]:
        parts.append(_job(status["job"]))
    if status["faults"]:
        parts.append(_faults(status["faults"]))
    if any(not reached for row in status["reachability"].values() for reached in row.values()):
        parts.append(_reachability(status["reachability"]))
    slow = [name for name, host in status["hosts"].items() if host.get("kernel") == "python"]
    if slow:
        parts.append(Text(f"counting in plain Python on {', '.join(slow)} (fab doctor tells why)"))
    parts += [Text(why, style="red") for why in status["unreadable"].values()]
    parts.append(verdict(status))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    return table


def _hosts(status: dict[str, Any]) -> Table:
    table = _table(f"cluster {status['cluster']}", "host", "address", "process", "state", "uptime")
    table.add_column("restarts", justify="right")
    for name, host in status["hosts"].items():
        first = (name, host["address"])
        if not host["processes"]:
            reason = host["error"] or "no supervisord (run: fab provision)"
            table.add_row(*first, "", Text(reason, style="red"), "", "")
        for process in host["processes"]:
            state = Text(process["state"], style=STYLES.get(process["state"], "red"))
            if process["detail"]:
                state.append(f" {process['detail']}", style="dim")
            table.add_row(
                *first, process["name"], state, process["uptime"], str(process["restarts"])
            )
            first = ("", "")
        table.add_section()
    return table


def _replicas(status: dict[str, Any]) -> Table:
    table = _table("replicas", "replica", "redis", "memory", "applied dots", "digest", "published")
    for name, replica in status["replicas"].items():
        redis = replica["redis"] or {}
        if not replica["reachable"]:
            table.add_row(name, Text(f"unreachable: {replica['error']}", style="red"))
            continue
        if why := replica["refuses"] or replica["error"]:  # beside what it has
            table.add_row(name, Text(f"refuses: {why}", style="red"))
        table.add_row(
            name,
            f"{redis.get('version', '?')} {redis.get('role', '')}",
            size(redis.get("memory", 0)),
            f"{replica['applied']:,}",
            short_digest(replica["digest"]),
            published(replica),
        )
    return table


def published(replica: dict[str, Any]) -> str:
    extent = replica["extent"]
    if replica["published"] and extent and extent["words"] < extent["distinct"]:
        return f"{extent['words']:,} of {extent['distinct']:,}"
    return "yes" if replica["published"] else "no"


def _repair(repairs: dict[str, dict[str, Any]]) -> Text:
    """What each host's anti-entropy copied since it started."""
    text = Text("background repair: ")
    parts = []
    for name, did in repairs.items():
        if did["missing"]:
            part = f"{name} copied {plural(did['copied'], 'dot')} ({size(did['bytes'])})"
            if did["dropped"]:
                part += f", dropped {did['dropped']:,} for later rounds"
            parts.append(part)
    return text.append("; ".join(parts) or "nothing was missing")


def short_digest(digest: str) -> str:
    """A few digits that differ if two digests differ."""
    return hashlib.sha256(digest.encode()).hexdigest()[:SHOWN_DIGEST] if digest else "-"


def _job(job: dict[str, Any]) -> Table:
    table = Table(title=f"job {job['name']}", title_justify="left")
    for column in ("origin", "splits", "applied", "dead"):
        table.add_column(column, justify="left" if column == "origin" else "right")
    for name, origin in job["origins"].items():
        total = "enqueueing" if origin["total"] is None else f"{origin['total']:,}"
        table.add_row(name, total, f"{origin['applied']:,}", f"{origin['dead']:,}")
    return table


def _faults(faults: list[dict[str, Any]]) -> Table:
    table = _table("faults in force", "host", "target", "fault")
    table.add_column("ends in", justify="right")
    for fault in faults:
        left = Text(f"{fault['seconds_left']:.0f} s")
        if fault["stale"]:
            left = Text("left over (run: fab provision)", style="red")
        table.add_row(fault["host"], fault["target"], fault["text"], left)
    return table


def _reachability(matrix: dict[str, dict[str, bool]]) -> Table:
    names = list(dict.fromkeys(name for row in matrix.values() for name in row))
    table = _table("workers reach, as measured", "from", *names)
    for source, row in matrix.items():
        cells = (Text("yes") if row.get(name) else Text("no", style="red") for name in names)
        table.add_row(source, *cells)
    return table


def verdict(status: dict[str, Any]) -> Text:
    job = status["job"]
    if job is None:
        return Text("no job yet: fab start-job --input '/path/*.txt'")
    total = "? splits" if job["total"] is None else plural(job["total"], "split")
    text = Text(f"{job['name']}: {job['state']}, {job['applied']:,} of {total} applied, ")
    text.append(
        "replicas converged" if status["converged"] else "replicas differ",
        style="green" if status["converged"] else "yellow",
    )
    if happened := events(job["stats"]):
        text.append(f"; {happened}")
    for reason in job["waits_for"]:
        text.append(f"\n  waits for {reason}")
    return text
