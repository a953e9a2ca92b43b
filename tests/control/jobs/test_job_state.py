"""What state a job is in, on literal answers of hosts."""

from __future__ import annotations

from typing import Any

import pytest

from control.commands.results import _title
from control.jobs.job_progress import Progress
from control.jobs.job_state import job_state, merge_troubles
from control.progress_bar import line


def origin(total: int | None, applied: int, dead: int = 0, **more: int) -> dict[str, Any]:
    """What a replica has of an origin, with its manifest's revision and retracted splits."""
    return {
        "total": total,
        "applied": applied,
        "dead": dead,
        "revision": 0,
        "retracted": 0,
        "retracted_total": 0,
        "retracted_unapplied": 0,
    } | more


def answer(*, published: bool = True, ended: bool = True, **changes: Any) -> dict[str, Any]:
    """A host's answer: h1 with four splits and h2 with five, all applied, unless changed."""
    job = {
        "name": "books",
        "digest": "d",
        "published": published,
        "dead": {},
        "outcome": {"away": []} if ended else None,
        "origins": {"h1": origin(4, 4), "h2": origin(5, 5)},
    }
    origins = job["origins"] | {name: changes.pop(name) for name in ("h1", "h2") if name in changes}
    return {"reachable": True, "job": job | {"origins": origins} | changes}


SILENT = {"reachable": False, "error": "timed out", "job": None}
UNAWARE = {"reachable": True, "job": None}
DEAD = {"h1/3": {"error": "not UTF-8"}}


@pytest.mark.parametrize(
    ("h1", "h2", "state", "waits_for"),
    [
        (answer(), answer(), "complete", []),
        # The one that does not answer is brought up to date when it is back.
        (answer(), SILENT, "complete", []),
        (
            answer(published=False, ended=False, h2=origin(None, 1)),
            answer(published=False, ended=False, h2=origin(None, 3)),
            "enqueueing",
            ["h2 to enqueue all its splits"],
        ),
        (
            answer(published=False, ended=False, h1=origin(4, 3), h2=origin(5, 4)),
            SILENT,
            "counting",
            [
                "1 split of h1 to be counted",
                "1 split of h2 to be counted",
                "h2 to answer (timed out)",
            ],
        ),
        # Of each origin the most that any replica has counts.
        (
            answer(published=False, ended=False, h2=origin(None, 2)),
            answer(published=False, ended=False, h1=origin(None, 1)),
            "converging",
            [
                "h1 to get 3 splits of h2, the number of splits of h2",
                "h2 to get 3 splits of h1, the number of splits of h1",
            ],
        ),
        # Cut off from each other, and both answer: one side has ended the job by itself.
        (
            answer(outcome={"away": ["h2"]}),
            answer(published=False, ended=False, h1=origin(4, 0), digest="other"),
            "converging",
            ["h2 to get 4 splits of h1; the others ended the job without it"],
        ),
        (
            answer(),
            answer(digest="other"),
            "converging",
            ["h1, h2 to agree on which splits they have"],
        ),
        (answer(), UNAWARE, "converging", ["h2 to hear of the job"]),
        (
            answer(),
            answer(published=False, ended=False),
            "publishing",
            ["h2 to publish"],
        ),
        # A revision that no driver has read yet: the replicas are as they were.
        (answer(), answer(ended=False), "publishing", ["the driver of h2 to end the job"]),
        (
            answer(dead=DEAD, h1=origin(4, 3, 1)),
            answer(dead=DEAD, h1=origin(4, 3, 1)),
            "incomplete",
            [],
        ),
        # An interrupted change of the job's files: begun on one origin only.
        (
            answer(ended=False, h1=origin(5, 5, revision=1)),
            answer(ended=False, h1=origin(5, 5, revision=1)),
            "enqueueing",
            ["h2 to begin with the last change of the job's files"],
        ),
    ],
)  # fmt: skip
def test_state(h1: Any, h2: Any, state: str, waits_for: list[str]) -> None:
    found = job_state("books", {"h1": h1, "h2": h2})
    assert found is not None
    assert (found.state, list(found.waits_for)) == (state, waits_for)
    assert found.complete is (state == "complete")


def test_retracted_splits_are_in_no_figure() -> None:
    """Given a job of three splits, of which one was dead, whose file is retracted and another one
    added instead: four sequence numbers, three applied."""
    revised = {"revision": 1, "retracted": 1, "retracted_total": 1, "retracted_unapplied": 1}
    h1 = origin(4, 3, **revised)
    found = job_state("books", {"h1": answer(h1=h1, h2=origin(0, 0, revision=1))})
    assert found is not None
    assert (found.state, found.applied, found.total) == ("complete", 3, 3)
    # Expect the same where the retracted split had been applied, and while one is to be retracted.
    applied = h1 | {"applied": 4, "retracted_unapplied": 0}
    late = applied | {"retracted": 0}
    states = {
        "h1": answer(h1=applied, h2=origin(0, 0, revision=1)),
        "h2": answer(h1=late, h2=origin(0, 0, revision=1)),
    }
    found = job_state("books", states)
    assert found is not None
    assert (found.state, found.applied, found.total) == ("converging", 3, 3)
    assert found.waits_for == ("h2 to get 1 retraction of h1",)


def test_every_command_says_the_same() -> None:
    """Given a job that waits. Expect the same state and reasons of `top` and `start-job`."""
    found = job_state("books", {"h1": answer(), "h2": UNAWARE})
    assert found is not None
    words = {"job": "books", "host": "h1", "applied": 9, "total": 9} | found.figures()
    assert _title(words) == "books on h1: converging, 9/9 splits\n  waits for h2 to hear of the job"
    # A driver that is cut off is where it was, whatever the others have done since.
    progress = Progress({"h1": {"phase": "counting"}}, state=found)
    assert line(progress).startswith("converging: ")
    assert line(progress).endswith(", waits for h2 to hear of the job")


def test_a_job_that_nobody_knows_has_no_state() -> None:
    assert job_state("books", {"h1": UNAWARE, "h2": SILENT}) is None
    assert job_state("other", {"h1": answer()}) is None


def test_what_refuses_is_named_with_its_words_once() -> None:
    """Given a replica that takes no writes, and one that refuses a call, as two drivers say."""
    troubles = {"replica h1": "OOM", "replica h2": "WRONGTYPE", "h1/worker-0": "1 of 2 replicas"}
    counting = answer(published=False, ended=False, h1=origin(4, 3), troubles=troubles)
    found = job_state("books", {"h1": counting | {"refuses": "OOM"}, "h2": counting})
    assert found is not None
    assert found.waits_for == (
        "1 split of h1 to be counted",
        "h1 to take writes (OOM)",
        "replica h2 to go on (WRONGTYPE)",
        "h1/worker-0 to go on (1 of 2 replicas)",
    )
    # ... and nothing once the job has ended
    ended = job_state("books", {"h1": answer() | {"refuses": "OOM"}, "h2": answer()})
    assert ended is not None
    assert ended.waits_for == ()


def test_of_a_replica_it_is_said_who_has_trouble_with_it() -> None:
    """Given a host that is cut off, and one whose Redis has no memory, as three hosts see them."""
    merged = merge_troubles(
        {
            "h1": {"replica h2": "OOM", "replica h3": "Timeout"},
            "h2": {"replica h2": "OOM!", "replica h3": "Timeout", "h2/worker-0": "1 of 3"},
            "h3": {},
        }
    )
    assert merged == {
        "replica h2": "OOM!",
        "replica h3": "Timeout, as seen from h1, h2",
        "h2/worker-0": "1 of 3",
    }
