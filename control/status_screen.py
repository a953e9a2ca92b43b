"""The status of the cluster on one screen of 80 by 24, for `--watch`.

First what changes during a job: the job, what each replica has of it, and faults. Of processes only
what is out of the ordinary.
"""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from control.formats import size
from control.status_tables import published, short_digest, verdict

#: How many reasons to wait, and how many faults, there is room for.
SHOWN_REASONS, SHOWN_FAULTS = 3, 5


def render(status: dict[str, Any]) -> RenderableType:
    job = status["job"]
    if job:
        reasons = _first(job["waits_for"], SHOWN_REASONS)
        status = {**status, "job": {**job, "waits_for": reasons and ["; ".join(reasons)]}}
    parts: list[RenderableType] = [verdict(status), Text(), _replicas(status)]
    if status["faults"]:
        parts += [Text(), _faults(status["faults"])]
    if cut := _cut(status["reachability"]):
        parts.append(Text(f"measured cut: {cut}", style="red"))
    parts += [Text(why, style="red") for why in status["unreadable"].values()]
    return Group(*parts, Text(), _processes(status))


def _first(texts: list[str], most: int) -> list[str]:
    more = len(texts) - most
    return texts if more <= 0 else [*texts[:most], f"and {more} more"]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _replicas(status: dict[str, Any]) -> Table:
    """A row a host: its share of the job's splits, and what its replica has of the whole job."""
    table = _table("host", "its splits", "dead", "replica has", "digest", "published", "memory")
    origins = status["job"]["origins"] if status["job"] else {}
    for name, replica in status["replicas"].items():
        share = origins.get(name, {"applied": 0, "total": 0, "dead": 0})
        total = "?" if share["total"] is None else f"{share['total']:,}"
        row = [name, f"{share['applied']:,}/{total}", f"{share['dead']:,}"]
        if replica["reachable"]:
            row += [f"{replica['applied']:,}", short_digest(replica["digest"]), published(replica)]
            row.append(size((replica["redis"] or {}).get("memory", 0)))
        table.add_row(*row)
        if why := replica.get("refuses") or replica["error"]:
            what = "refuses" if replica["reachable"] else "no answer"
            table.add_row("", Text(what, style="red"), "", Text(why, style="red"))
    return table


def _faults(faults: list[dict[str, Any]]) -> Table:
    table = _table("fault on", "target", "what", "ends in")
    for fault in faults[:SHOWN_FAULTS]:
        left = "left over" if fault["stale"] else f"{fault['seconds_left']:.0f} s"
        table.add_row(fault["host"], fault["target"], fault["text"], left)
    if more := len(faults[SHOWN_FAULTS:]):
        table.add_row("", "", f"and {more} more")
    return table


def _cut(matrix: dict[str, dict[str, bool]]) -> str:
    cuts = ((a, b) for a, row in matrix.items() for b, reached in row.items() if not reached)
    return ", ".join(f"{a} to {b}" for a, b in cuts)


def _processes(status: dict[str, Any]) -> Table:
    table = _table("host", "processes")
    for name, host in status["hosts"].items():
        running = [p for p in host["processes"] if p["state"] == "RUNNING"]
        texts = [f"{len(running)} running"] if host["processes"] else [host["error"] or "none"]
        texts += [f"{p['name']} {p['state']}" for p in host["processes"] if p not in running]
        texts += [
            f"{p['name']} restarted {p['restarts']}x" for p in host["processes"] if p["restarts"]
        ]
        table.add_row(name, ", ".join(texts))
    return table
