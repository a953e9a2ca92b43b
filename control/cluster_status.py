"""The status of the whole cluster: processes, replicas, the job, faults, reachability."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from control.cluster import Answer, Cluster, HostError
from control.jobs.job_state import job_state, latest, unanswered
from faults.network import reachability
from faults.remote import in_force
from provision.connect.contract import ConnectorError
from provision.host.processes import processes
from provision.inventory.model import Host


def gather(cluster: Cluster, job: str = "") -> dict[str, Any]:
    """The status, as `fab status --json` prints it:

    hosts: {name: {"address", "processes": [...], "error"}}; replicas: {host: {"reachable",
    "applied", "digest", "published", "extent": how much of the words is published (wc.backends.api)
    or null, "redis", "error", "refuses": why it takes no writes now, or ""}}; repair: what each
    host's background repair has done, {host: {"at", "rounds", "compared", "missing", "copied",
    "dropped", "bytes", "seconds", "last"}}, without hosts where it never ran; job: {"name",
    "state" and "waits_for" (control/jobs/job_state.py), "total", "applied", "dead", "complete",
    "ended", "origins", "stats"} or null; converged: whether all replicas answered and hold the
    same; unreadable: {job: why} of jobs that a host cannot read, as a later version began them;
    planning: how many files the planning of a job has seen, or null; faults: those in force,
    [{"id", "fault", "host", "target", "seconds_left", "stale", "text"}]; reachability: {from: {to:
    bool}}, as measured by the workers' user of each host, without the rows of hosts that could not
    be asked.
    """
    found = cluster.on_all(lambda host: _host(cluster, host, job))
    hosts: dict[str, Any] = {}
    states: dict[str, Answer] = {}
    faults: list[dict[str, Any]] = []
    rows: dict[str, reachability.Row] = {}
    with_redis = {host.name for host in cluster.inventory.replicas}
    for host in cluster.inventory.hosts:
        answer = found[host.name]
        hosts[host.name] = {"address": host.address, "processes": [], "error": ""}
        if isinstance(answer, HostError):
            hosts[host.name]["error"] = answer.reason
            states[host.name] = unanswered(answer)
        else:
            hosts[host.name]["processes"] = answer["processes"]
            hosts[host.name]["kernel"] = answer["state"].get("kernel")
            states[host.name] = answer["state"]
            faults += answer["faults"]
            if answer["reaches"]:
                rows[host.name] = answer["reaches"]
    newest = latest(states.values())
    replicas = {name: _replica(states[name], newest) for name in states if name in with_redis}
    on = {host.name for host in cluster.inventory.repairing}
    repairing = [name for name, state in states.items() if name in on and state.get("repair")]
    digests = {replica["digest"] for replica in replicas.values()}
    return {
        "cluster": cluster.inventory.cluster.name,
        "hosts": hosts,
        "job": _job(newest, {name: states[name] for name in states if name in with_redis}),
        "replicas": replicas,
        "repair": {name: states[name]["repair"] for name in repairing},
        "converged": len(digests) == 1 and all(r["reachable"] for r in replicas.values()),
        # A host of an earlier version does not say which jobs it cannot read.
        "unreadable": {j: w for s in states.values() for j, w in s.get("unreadable", {}).items()},
        "planning": max(state.get("planning") or 0 for state in states.values()) or None,
        "faults": faults,
        "reachability": reachability.as_bools(rows),
    }


def _host(cluster: Cluster, host: Host, job: str) -> dict[str, Any]:
    connector, folder = cluster.connector(host), cluster.inventory.folder(host)
    running = [asdict(process) for process in processes(connector, folder)]
    faults = in_force(connector, folder)
    try:
        state = cluster.ask(host, "state", "--job", job)
    except HostError as error:
        # The processes of the host are shown all the same: they tell what is wrong.
        state = unanswered(error)
    try:
        reaches = reachability.row(connector, cluster.inventory, host)
    except ConnectorError:  # not provisioned, or by an older version: show the rest all the same
        reaches = {}
    return {"processes": running, "state": state, "faults": faults, "reaches": reaches}


def _replica(state: Answer, job: str) -> dict[str, Any]:
    known = state["job"] if state["job"] and state["job"]["name"] == job else None
    return {
        "reachable": state["reachable"],
        "applied": sum(o["applied"] for o in known["origins"].values()) if known else 0,
        "digest": known["digest"] if known else "",
        "published": bool(known and known["published"]),
        "extent": known and known.get("extent"),  # a host of an earlier version knows none
        "redis": state.get("redis"),
        "error": state.get("error", ""),
        "refuses": state.get("refuses", ""),
    }


def _job(name: str, states: dict[str, Answer]) -> dict[str, Any] | None:
    """The job over all replicas."""
    found = job_state(name, states)
    if found is None:
        return None
    known = [s["job"] for s in states.values() if s["job"] and s["job"]["name"] == name]
    return {
        "name": name,
        **found.figures(),
        "total": found.total,
        "applied": found.applied,
        "dead": found.dead,
        "origins": found.origins,
        # Each replica keeps the statistics of its own host's queue.
        "stats": {key: sum(job["stats"].get(key, 0) for job in known) for key in known[0]["stats"]},
    }
