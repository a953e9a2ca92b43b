"""What state a job is in, and what it waits for: one answer for every command that says so.

It is worked out from what each host says of its replica and its driver (`python -m wc state`). A
job is only as far as the part of it that is behind most. Splits whose files were retracted are not
part of the job any more: no number here counts them, whether or not they had been applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from control.cluster import Answer, Cluster, HostError
from control.formats import plural
from provision.inventory.model import Host

#: In the order in which a job goes through them; it ends in one of the last two.
STATES = ("enqueueing", "counting", "converging", "publishing", "complete", "incomplete")
ENDED = STATES[-2:]


@dataclass(frozen=True)
class JobState:
    """A job over all replicas. ``total``, ``applied``: numbers of splits; total None until it is
    known. ``origins``: {name: {"total", "applied", "dead"}}, of each the most that any replica has.
    ``dead``: {dot: error}. ``silent``: {host: why it, or its Redis, does not answer}."""

    name: str
    state: str
    waits_for: tuple[str, ...]
    """What is still to happen, in words, each "somebody to do something"; none of an ended job."""
    origins: dict[str, dict[str, Any]]
    dead: dict[str, Any]
    silent: dict[str, str]

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def complete(self) -> bool:
        return self.state == "complete"

    @property
    def waiting(self) -> str:
        """`, waits for ...`, to follow the state in a sentence; "" once the job has ended."""
        return f", waits for {'; '.join(self.waits_for)}" if self.waits_for else ""

    def figures(self) -> dict[str, Any]:
        """The state for programs."""
        return {
            "state": self.state,
            "complete": self.complete,
            "ended": self.ended,
            "waits_for": list(self.waits_for),
        }

    @property
    def total(self) -> int | None:
        totals = [origin["total"] for origin in self.origins.values()]
        return None if None in totals else sum(totals)

    @property
    def applied(self) -> int:
        return sum(origin["applied"] for origin in self.origins.values())


def ask(cluster: Cluster, name: str, hosts: Iterable[Host] | None = None) -> dict[str, Answer]:
    """What each replica's host, or each of `hosts`, says of its replica and of the job."""
    chosen = cluster.inventory.replicas if hosts is None else hosts
    found = cluster.on_all(lambda host: cluster.ask(host, "state", "--job", name), chosen)
    return {
        host: unanswered(answer) if isinstance(answer, HostError) else answer
        for host, answer in found.items()
    }


def latest(answers: Iterable[Answer]) -> str:
    """The name of the newest job in answers of `ask`; "" if there is none."""
    jobs = [answer["job"] for answer in answers if answer["job"]]
    newest = max(jobs, key=lambda job: float(job["created"]), default=None)
    return str(newest["name"]) if newest else ""


def unanswered(error: HostError) -> Answer:
    """What stands for the answer of a host that gave none."""
    return {"reachable": False, "error": error.reason, "job": None}


def job_state(name: str, answers: Mapping[str, Answer]) -> JobState | None:
    """The state of the job of that name, from the answers of `ask`; None if no replica has it."""
    jobs = {
        host: answer["job"]
        for host, answer in answers.items()
        if answer["job"] and answer["job"]["name"] == name
    }
    if not jobs:
        return None
    origins = next(iter(jobs.values()))["origins"]
    silent = {
        host: answer.get("error") or "no reason given"
        for host, answer in answers.items()
        if not answer["reachable"]
    }
    best = {o: max((job["origins"][o] for job in jobs.values()), key=_progress) for o in origins}
    unaware = [host for host in origins if host in answers and host not in jobs.keys() | silent]
    dead = {dot: error for job in jobs.values() for dot, error in job["dead"].items()}
    state, reasons = "incomplete" if dead else "complete", []
    for earlier, found in (
        ("enqueueing", _not_enqueued(best)),
        ("counting", _not_counted(best)),
        ("converging", _not_equal(jobs, best, unaware)),
        ("publishing", _not_ended(jobs)),
    ):
        if found:
            state = earlier
            reasons = [*found, *(f"{host} to answer ({why})" for host, why in silent.items())]
            reasons += _refusals(answers, jobs, silent)
            break
    return JobState(
        name,
        state,
        tuple(reasons),
        {o: _live(best[o]) | {"dead": best[o]["dead"]} for o in origins},
        dead,
        silent,
    )


def merge_troubles(by_host: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What each host's driver and workers wait for, {who: why}, for people: each once. Of a replica
    that its own host has no trouble with it is said who has, as behind a partition."""
    merged = {}
    for who in dict.fromkeys(who for troubles in by_host.values() for who in troubles):
        hosts = [host for host, troubles in by_host.items() if who in troubles]
        own = next((host for host in hosts if who == f"replica {host}"), None)
        why = by_host[own or hosts[0]][who]
        plain = own or not who.startswith("replica ")
        merged[who] = why if plain else f"{why}, as seen from {', '.join(hosts)}"
    return merged


def _refusals(
    answers: Mapping[str, Answer], jobs: dict[str, Answer], silent: dict[str, str]
) -> list[str]:
    """What replicas answer with instead of what they are asked for, as a write shows, and as the
    hosts' drivers and workers say that wait for it. Hosts of earlier versions say neither."""
    refusing = {
        host: answer["refuses"] for host, answer in answers.items() if answer.get("refuses")
    }
    named = {f"replica {host}" for host in silent.keys() | refusing.keys()}
    troubles = merge_troubles({host: job.get("troubles", {}) for host, job in jobs.items()})
    return [
        *(f"{host} to take writes ({why})" for host, why in refusing.items()),
        *(f"{who} to go on ({why})" for who, why in troubles.items() if who not in named),
    ]


def _progress(origin: Answer) -> tuple[int, int, int]:
    """Orders what replicas have of one origin: a later revision and more settled splits win."""
    return origin.get("revision", 0), -1 if origin["total"] is None else 0, _settled(origin)


def _settled(origin: Answer) -> int:
    return int(origin["applied"] + origin["dead"] + origin.get("retracted_unapplied", 0))


def _live(origin: Answer) -> dict[str, Any]:
    """An origin's splits without those retracted. A host of an earlier version does not say how
    many of these were never applied."""
    retracted, total = origin.get("retracted", 0), origin["total"]
    return {
        "total": None if total is None else total - origin.get("retracted_total", retracted),
        "applied": max(0, origin["applied"] - retracted + origin.get("retracted_unapplied", 0)),
    }


def _not_enqueued(best: dict[str, Answer]) -> list[str]:
    newest = max(origin.get("revision", 0) for origin in best.values())
    return [
        f"{name} to enqueue all its splits"
        if origin["total"] is None
        else f"{name} to begin with the last change of the job's files"
        for name, origin in best.items()
        if origin["total"] is None or origin.get("revision", newest) < newest
    ]


def _not_counted(best: dict[str, Answer]) -> list[str]:
    return [
        f"{plural(origin['total'] - _settled(origin), 'split')} of {name} to be counted"
        for name, origin in best.items()
        if origin["total"] is not None and origin["total"] > _settled(origin)
    ]


def _not_equal(jobs: dict[str, Answer], best: dict[str, Answer], unaware: list[str]) -> list[str]:
    """Which replicas have less than others."""
    reasons = [f"{host} to hear of the job" for host in unaware]
    left_out = {h for job in jobs.values() for h in (job.get("outcome") or {}).get("away", ())}
    for host, job in jobs.items():
        lacks = [
            text
            for name, origin in job["origins"].items()
            for text in _lacks(name, origin, best[name])
        ]
        if lacks:
            without = "; the others ended the job without it" if host in left_out else ""
            reasons.append(f"{host} to get {', '.join(lacks)}{without}")
    if not reasons and len({job["digest"] for job in jobs.values()}) > 1:
        reasons.append(f"{', '.join(jobs)} to agree on which splits they have")
    return reasons


def _lacks(name: str, origin: Answer, best: Answer) -> list[str]:
    """What a replica lacks of one origin, in words."""
    splits = _settled(best) - _settled(origin)
    retractions = max(best.get("retracted_total", 0), best.get("retracted", 0)) - origin.get(
        "retracted", 0
    )
    lacks = [plural(splits, "split")] if splits > 0 else []
    if retractions > 0:
        lacks.append(plural(retractions, "retraction"))
    if origin["total"] != best["total"]:
        lacks.append("the number of splits")
    return [f"{what} of {name}" for what in lacks]


def _not_ended(jobs: dict[str, Answer]) -> list[str]:
    return [
        f"the driver of {host} to end the job" if job["published"] else f"{host} to publish"
        for host, job in jobs.items()
        if not job["published"] or (host in job["origins"] and not job.get("outcome"))
    ]
