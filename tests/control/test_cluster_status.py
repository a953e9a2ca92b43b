"""Putting together what each replica knows of a job: the most any of them has."""

from __future__ import annotations

from typing import Any

import pytest

from control import status_tables
from control.cluster_status import _job, _replica
from control.jobs.job_state import latest


def state(job: dict[str, Any] | None, reachable: bool = True) -> dict[str, Any]:
    return {"reachable": reachable, "job": job}


def job(
    name: str = "books", created: float = 1.0, published: bool = True, **origins: list[int | None]
) -> dict[str, Any]:
    """A job as one replica has it; origins as [total, applied, dead]."""
    return {
        "name": name,
        "created": created,
        "digest": "d",
        "published": published,
        "outcome": {"away": []} if published else None,
        "dead": {},
        "stats": {"takeovers": 1, "duplicates": 0, "failures": 0},
        "origins": {
            origin: {"total": total, "applied": applied, "dead": dead}
            for origin, (total, applied, dead) in origins.items()
        },
    }


def test_the_most_that_any_replica_has_counts() -> None:
    """Given two replicas, each behind on the other's origin, one without a seal."""
    one = job(h1=[5, 5, 0], h2=[None, 1, 0])
    two = job(h1=[None, 2, 0], h2=[4, 3, 0], published=False)
    found = _job("books", {"h1": state(one), "h2": state(two)})
    assert found is not None
    assert (found["total"], found["applied"], found["complete"]) == (9, 8, False)
    assert found["origins"]["h2"] == {"total": 4, "applied": 3, "dead": 0}
    assert (found["ended"], found["state"]) == (False, "counting")
    assert found["stats"]["takeovers"] == 2


def test_complete_means_all_applied_and_none_dead() -> None:
    whole = job(h1=[5, 5, 0])
    assert (_job("books", {"h1": state(whole)}) or {})["complete"] is True
    given_up = job(h1=[5, 4, 1]) | {"dead": {"h1/3": {"error": "not UTF-8"}}}
    found = _job("books", {"h1": state(given_up), "h2": state(whole)})
    assert found is not None
    assert found["complete"] is False
    assert found["dead"] == {"h1/3": {"error": "not UTF-8"}}


def test_a_job_that_no_replica_has_sealed_has_no_total() -> None:
    found = _job("books", {"h1": state(job(h1=[None, 0, 0]))})
    assert found is not None
    assert found["total"] is None
    assert found["complete"] is False


def test_the_latest_job_is_the_newest_that_anyone_knows() -> None:
    """Given a replica that was away when the newer job came."""
    states = {
        "h1": state(job("old", 1.0, h1=[1, 1, 0])),
        "h2": state(job("new", 2.0, h1=[1, 0, 0])),
        "h3": state(None, reachable=False),
    }
    assert latest(states.values()) == "new"
    found = _job("new", states)
    assert found is not None
    assert found["applied"] == 0
    assert _replica(states["h1"], "new")["applied"] == 0
    assert _replica(states["h1"], "old")["applied"] == 1
    assert _replica(states["h3"], "new") | {"redis": 0} == {
        "reachable": False,
        "applied": 0,
        "digest": "",
        "published": False,
        "extent": None,
        "redis": 0,
        "error": "",
        "refuses": "",
    }


def test_no_job_at_all() -> None:
    assert latest([state(None)]) == ""
    assert _job("", {"h1": state(None)}) is None


@pytest.mark.parametrize(
    ("published", "extent", "text"),
    [
        (False, None, "no"),
        (True, None, "yes"),
        (True, {"words": 3, "distinct": 3}, "yes"),
        (True, {"words": 100_000, "distinct": 2_844_049}, "100,000 of 2,844,049"),
        (False, {"words": 1, "distinct": 2}, "no"),
    ],
)
def test_how_much_is_published(published: bool, extent: dict[str, int] | None, text: str) -> None:
    assert status_tables.published({"published": published, "extent": extent}) == text


@pytest.mark.parametrize(
    ("did", "text"),
    [
        ({"h1": (0, 0, 0, 0)}, "background repair: nothing was missing"),
        (
            {"h1": (0, 0, 0, 0), "h2": (5, 5, 1200, 0)},
            "background repair: h2 copied 5 dots (1.2 kB)",
        ),
        (
            {"h1": (1, 1, 10, 0), "h3": (9000, 1, 10, 8999)},
            "background repair: h1 copied 1 dot (10 B); "
            "h3 copied 1 dot (10 B), dropped 8,999 for later rounds",
        ),
    ],
)
def test_what_the_background_repairs_did(did: dict[str, tuple[int, ...]], text: str) -> None:
    names = ("missing", "copied", "bytes", "dropped")
    found = {host: dict(zip(names, row, strict=True)) for host, row in did.items()}
    assert status_tables._repair(found).plain == text
