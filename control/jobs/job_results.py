"""The results of a job in words: its summary, a revision, a verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from control.cluster import Answer
from control.formats import plural, size, span
from control.jobs.job_progress import Progress
from control.jobs.revise_job import Revision

#: A summary mentions publishing that took longer than this, seconds.
PUBLISHING_SECONDS = 1.0
#: How many dead splits a summary names.
SHOWN_DEAD = 5


def figures(spec: Answer, progress: Progress) -> dict[str, Any]:
    """A job's figures for programs, summed over origins.

    "counted": seconds from its start until all replicas had all counts and a driver had summed them
    up; "seconds": until the last replica had published. Both are of the job's first end, or of a
    "revised" job of the first end since its files were last changed; without hosts that were away
    then. "later": {host: when it published since then, in seconds since the epoch}. "published":
    {"words", "distinct", "limit"} of the sorted set; "splits", "bytes", "stats", "away".
    """
    outcomes = list(progress.outcomes.values())
    stats: Counter[str] = Counter()
    for outcome in outcomes:
        stats.update(outcome["stats"])
    ends = _first_ends(progress.outcomes)
    last = max((float(end["ended"]) for end in ends), default=0.0)
    began = [float(end.get("began") or spec["created"]) for end in ends]
    # The outcome of a job that ended under an earlier version lacks "counted".
    summed = [float({"counted": end["ended"], **end}["counted"]) for end in ends]
    extents = [outcome["published"] for outcome in outcomes if outcome.get("published")]
    return {
        "seconds": last - min(began, default=last),
        "counted": min((at - since for at, since in zip(summed, began, strict=True)), default=0.0),
        "revised": any(outcome.get("revision") for outcome in outcomes),
        "later": {
            host: float(outcome["ended"])
            for host, outcome in progress.outcomes.items()
            if float(outcome["ended"]) > last
        },
        "published": extents[0] if extents else None,
        "splits": progress.splits,
        "bytes": progress.bytes,
        "stats": dict(stats),
        "away": progress.away,
    }


def _first_ends(outcomes: Mapping[str, Answer]) -> list[Answer]:
    """How the job first ended on each host that was there: not one that was away, or lost its disk.

    A host of an earlier version tells its latest end only.
    """
    firsts = {host: outcome.get("first", outcome) for host, outcome in outcomes.items()}
    away = {name for end in firsts.values() for name in end.get("away", ())}
    there = [end for host, end in firsts.items() if end and host not in away]
    return there or list(outcomes.values())


def events(stats: Mapping[str, int]) -> str:
    """Takeovers, speculative copies, duplicates and failures, in words; '' if there were none."""
    parts = [
        plural(stats[key], one, many)
        for key, one, many in (
            ("takeovers", "split taken over", "splits taken over"),
            ("speculations", "speculative copy of a straggler", "speculative copies of stragglers"),
            ("duplicates", "duplicate discarded", "duplicates discarded"),
            ("failures", "failure", "failures"),
        )
        if stats.get(key)
    ]
    if stats.get("wasted_ms"):
        parts.append(f"{stats['wasted_ms'] / 1000:.1f} s of work wasted")
    return ", ".join(parts)


def summary_lines(spec: Answer, progress: Progress) -> list[str]:
    """How a job ended, in a few lines."""
    # Several origins may report the same dead split.
    dead = {dot: error for o in progress.outcomes.values() for dot, error in o["dead"].items()}
    found = figures(spec, progress)
    state = "incomplete" if dead else "complete"
    counted = f"{plural(found['splits'], 'split')}, {size(found['bytes'])}"
    if found["revised"]:
        took = f"{span(found['seconds'])} since its files were last changed"
        lines = [f"job {spec['name']}: {state}, {counted}; {took}"]
    else:
        took = f"in {span(found['seconds'])} ({_rate(found['bytes'], found['seconds'])})"
        lines = [f"job {spec['name']}: {state}, {counted} {took}"]
        if found["seconds"] - found["counted"] > PUBLISHING_SECONDS:
            quick = _rate(found["bytes"], found["counted"])
            lines.append(
                f"counted after {span(found['counted'])} ({quick}); the rest was publishing"
            )
    if later := found["later"]:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(max(later.values())))
        lines.append(
            f"published later on {', '.join(later)}, last at {at}: "
            "after a fault, or as dead splits were tried again"
        )
    if (extent := found["published"]) and extent["words"] < extent["distinct"]:
        lines.append(
            f"the sorted set has the {extent['words']:,} most frequent of "
            f"{extent['distinct']:,} words; `fab count --words` gives any other"
        )
    if happened := events(found["stats"]):
        lines.append(happened)
    if progress.away:
        was, its = ("was", "its") if len(progress.away) == 1 else ("were", "their")
        lines.append(
            f"{', '.join(progress.away)} {was} away: the others did {its} splits too; "
            "a host that comes back is brought up to date"
        )
    if dead:
        lines.append(f"{plural(len(dead), 'split was', 'splits were')} given up:")
        lines += [f"  {dot}: {why['error']}" for dot, why in sorted(dead.items())[:SHOWN_DEAD]]
        if len(dead) > SHOWN_DEAD:
            lines.append(f"  and {len(dead) - SHOWN_DEAD} more (fab status --json has them all)")
    return lines


def _rate(count: int, seconds: float) -> str:
    return f"{size(count / seconds if seconds else 0.0)}/s"


def absence_lines(answer: Answer) -> list[str]:
    """What it means that words were counted zero times, and whether others were meant."""
    absent = [word for word, count in answer["words"] if not count]
    if not absent:
        return []
    names = ", ".join(map(repr, absent))
    if answer["complete"]:
        lines = [f"counted zero times, and that is certain, as the job is complete: {names}"]
    else:
        lines = [f"not counted so far, as the job is not complete: {names}"]
    lower = [word.lower() for word in absent if word != word.lower()]
    if lower and answer["tokenizer"] == "letters":
        lines.append(f"the words of this job are in lower case: --words '{' '.join(lower)}'")
    return lines


def revision_line(name: str, changes: Revision) -> str:
    """What a revision of a job's files changes, in one line."""
    files = _changed_files(changes)
    if not files:
        return f"job {name}: no file is new, changed or deleted"
    return (
        f"job {name}: {files}: {plural(changes.counted, 'split')} to count, "
        f"{plural(changes.retracted_splits, 'split')} to retract"
    )


def outdated_line(name: str, changes: Revision) -> str:
    """That a job's result is not of the files that are there now."""
    return (
        f"job {name}: NOT the count of the files that are there now: {_changed_files(changes)} "
        f"since. `fab start-job --name {name} --update` counts what changed; "
        "with --replace, start-job deletes this job and counts all files anew"
    )


def _changed_files(changes: Revision) -> str:
    return ", ".join(
        plural(count, one, many)
        for count, one, many in (
            (changes.new, "new file", "new files"),
            (changes.changed, "changed file", "changed files"),
            (changes.deleted, "deleted file", "deleted files"),
            (changes.retracted, "retracted file", "retracted files"),
        )
        if count
    )


def verdict_lines(answer: Answer, seconds: float) -> list[str]:
    """The verdict of `verify`, in a few lines."""
    job = answer["job"]
    if answer["verdict"] == "unknown":
        return [f"unknown: {job} could not be verified: {answer['reason']}"]
    replicas = answer["replicas"]
    if answer["verdict"] == "valid":
        most = min(found["published"] for found in replicas.values())
        some = f" of the {most:,} most frequent" if most < answer["words"] else ""
        return [
            f"valid: {job}: {answer['words']:,} distinct words ({answer['tokens']:,} in all), "
            f"recounted serially, are the same on {', '.join(replicas)}, in the merged value "
            f"and in the published sorted set{some} ({span(seconds)})"
            + (f"; not compared: {', '.join(answer['without'])}" if answer["without"] else "")
        ]
    lines = [
        f"invalid: {job}: "
        + ", ".join(f"{name} differs in {found['different']:,}" for name, found in replicas.items())
    ]
    for replica, form, word, expected, found in answer["differences"]:
        lines.append(f"  {replica} ({form}): {word!r}: expected {expected:,}, found {found:,}")
    return lines
