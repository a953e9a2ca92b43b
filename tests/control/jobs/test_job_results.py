"""How figures, progress, summaries and verdicts are worded, on literal values."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from control import progress_bar
from control.commands.results import _title
from control.formats import size, span
from control.jobs.job_progress import Progress
from control.jobs.job_results import absence_lines, figures, summary_lines, verdict_lines
from control.word_table import word_table


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (123_456, "123.5 kB"),
        (4_404_412, "4.4 MB"),
        (999_949_999, "999.9 MB"),
        (3_210_000_000_000, "3210.0 GB"),
    ],
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 s"),
        (12.34, "12.3 s"),
        (60.0, "1 min 00 s"),
        (3599.0, "59 min 59 s"),
        (3661.0, "1 h 01 min"),
        (90_000.0, "25 h 00 min"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def update(phase: str, **figures: Any) -> dict[str, Any]:
    return {
        "phase": phase,
        "splits": 10,
        "applied": 4,
        "dead": 0,
        "bytes": 1000,
        "counted": 400,
        **figures,
    }


def test_a_line_of_progress() -> None:
    progress = Progress(
        {"h1": update("converging", applied=10, counted=1000), "h2": update("counting")}
    )
    progress.seconds = 2.0
    assert progress_bar.line(progress) == (
        "counting: 14/20 splits, 1.4 kB of 2.0 kB, 700 B/s, about 0.9 s left"
    )


def test_one_split_is_not_splits() -> None:
    progress = Progress({"h1": update("counting", splits=1, applied=1)})
    assert progress_bar.line(progress).startswith("counting: 1/1 split, ")
    words = {
        "job": "j",
        "host": "h1",
        "state": "complete",
        "waits_for": [],
        "applied": 1,
        "total": 1,
    }
    assert _title(words) == "j on h1: complete, 1/1 split"


def test_the_rate_is_of_what_was_counted_since() -> None:
    # Given a job of which 900 bytes were counted when somebody attached, and 1,400 after 2 s
    counted = [update("counting", counted=400), update("counting", counted=1000)]
    progress = Progress(dict(zip(("h1", "h2"), counted, strict=True)), seconds=2.0)
    progress.counted_before = 900
    assert "1.4 kB of 2.0 kB, 250 B/s, about 2.4 s left" in progress_bar.line(progress)
    # Expect none of a job that had ended
    progress.counted_before = 1400
    assert progress_bar.line(progress) == "counting: 8/20 splits, 1.4 kB of 2.0 kB"


def test_a_line_names_who_does_not_answer() -> None:
    progress = Progress({"h1": update("unreachable", error="timed out")})
    assert progress_bar.line(progress).startswith("unreachable: 4/10 splits")
    assert progress_bar.line(progress).endswith("h1 does not answer (timed out)")


def outcome(**changes: Any) -> dict[str, Any]:
    stats = {"takeovers": 0, "duplicates": 0, "failures": 0}
    return {
        "complete": True,
        "dead": {},
        "away": [],
        "stats": stats,
        "counted": 103.5,
        "ended": 104.0,
    } | changes


SPEC = {"name": "books", "created": 100.0}


def test_summary_of_a_complete_job() -> None:
    progress = Progress(
        {
            "h1": update("done", outcome=outcome()),
            "h2": update("done", outcome=outcome(ended=102.0)),
        }
    )
    assert summary_lines(SPEC, progress) == [
        "job books: complete, 20 splits, 2.0 kB in 4.0 s (500 B/s)"
    ]


def test_summary_of_a_job_that_took_long_to_publish() -> None:
    ends = {"h1": outcome(counted=101.0), "h2": outcome(counted=102.0, ended=106.0)}
    progress = Progress({name: update("done", outcome=found) for name, found in ends.items()})
    assert summary_lines(SPEC, progress) == [
        "job books: complete, 20 splits, 2.0 kB in 6.0 s (333 B/s)",
        "counted after 1.0 s (2.0 kB/s); the rest was publishing",
    ]


def again(first: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The outcome of a job that ended again at 9,000 s, on a host that knows its first end."""
    return update("done", outcome=outcome(counted=8999.0, ended=9000.0, first=first, **changes))


def test_what_comes_after_a_jobs_end_does_not_change_its_time() -> None:
    """Given a job that ended on h1 after 1.0 s and without h4, which came later. Then h2 published
    again, as its Redis had lost it, and h3 was made anew."""
    first = {"counted": 100.8, "ended": 100.9, "away": ["h4"]}
    late = outcome(counted=399.0, ended=400.0, first={"counted": 399.0, "ended": 400.0, "away": []})
    hosts = {
        "h1": update(
            "done", outcome=outcome(counted=100.7, ended=101.0, first=first | {"ended": 101})
        ),
        "h2": again(first),
        "h3": again({}),
        "h4": update("done", outcome=late),
    }
    found = figures(SPEC, Progress(hosts))
    assert (found["seconds"], found["later"]) == (1.0, {"h2": 9000.0, "h3": 9000.0, "h4": 400.0})
    assert found["counted"] == pytest.approx(0.8)
    line, later = summary_lines(SPEC, Progress(hosts))
    assert line == "job books: complete, 40 splits, 4.0 kB in 1.0 s (4.0 kB/s)"
    assert later.startswith("published later on h2, h3, h4, last at ")


def test_the_time_of_a_revised_job_is_that_of_its_last_change() -> None:
    first = {"counted": 5000.2, "ended": 5000.5, "away": [], "began": 5000.0}
    hosts = {"h1": again(first, revision=2)}
    assert figures(SPEC, Progress(hosts))["seconds"] == 0.5
    assert summary_lines(SPEC, Progress(hosts))[0] == (
        "job books: complete, 10 splits, 1.0 kB; 0.5 s since its files were last changed"
    )


@pytest.mark.parametrize(("words", "more"), [(2000, []), (100, ["the sorted set has the 100 "])])
def test_summary_of_a_job_says_how_many_words_are_published(words: int, more: list[str]) -> None:
    ended = outcome(published={"words": words, "distinct": 2000, "limit": words})
    lines = summary_lines(SPEC, Progress({"h1": update("done", outcome=ended)}))
    assert len(lines) == 1 + len(more)
    for line, begin in zip(lines[1:], more, strict=True):
        assert line.startswith(begin + "most frequent of 2,000 words; `fab count --words` gives")


@pytest.mark.parametrize(
    ("words", "complete", "tokenizer", "expected"),
    [
        ([["a", 1]], True, "letters", []),
        (
            [["The", 0], ["a", 1], ["\n", 0]],
            True,
            "whitespace",
            ["counted zero times, and that is certain, as the job is complete: 'The', '\\n'"],
        ),
        (
            [["The", 0]],
            False,
            "letters",
            [
                "not counted so far, as the job is not complete: 'The'",
                "the words of this job are in lower case: --words 'the'",
            ],
        ),
    ],
)
def test_what_no_counts_mean(
    words: list[Any], complete: bool, tokenizer: str, expected: list[str]
) -> None:
    answer = {"words": words, "complete": complete, "tokenizer": tokenizer}
    assert absence_lines(answer) == expected


def test_summary_tells_of_trouble_and_names_splits() -> None:
    """Given origins that report the same splits, and more of them than are worth a line."""
    dead = {f"h1/{n}": {"error": f"/in/{n}.txt: not UTF-8"} for n in range(1, 8)}
    stats = {"takeovers": 2, "duplicates": 3, "failures": 1}
    ended = outcome(complete=False, dead=dead, stats=stats)
    lines = summary_lines(SPEC, Progress({n: update("done", outcome=ended) for n in ("h1", "h2")}))
    assert lines[0].startswith("job books: incomplete, 20 splits")
    assert lines[1] == "4 splits taken over, 6 duplicates discarded, 2 failures"
    assert lines[2] == "7 splits were given up:"
    assert lines[3] == "  h1/1: /in/1.txt: not UTF-8"
    assert lines[-1] == "  and 2 more (fab status --json has them all)"
    assert len(lines) == 9


def verdict(**changes: Any) -> dict[str, Any]:
    return {
        "verdict": "valid",
        "without": [],
        "job": "books",
        "words": 1234,
        "tokens": 56789,
        "replicas": {name: {"different": 0, "published": 1234} for name in ("h1", "h2")},
        "differences": [],
        "reason": "",
    } | changes


def test_verdict_valid() -> None:
    (line,) = verdict_lines(verdict(), 1.25)
    assert line.startswith("valid: books: 1,234 distinct words (56,789 in all)")
    assert "h1, h2" in line
    assert "in the published sorted set (" in line


def test_verdict_on_a_set_of_some_words_says_so() -> None:
    some = {name: {"different": 0, "published": 1000} for name in ("h1", "h2")}
    (line,) = verdict_lines(verdict(replicas=some), 1.25)
    assert "in the published sorted set of the 1,000 most frequent (" in line


def test_verdict_invalid_names_replica_form_word_and_both_counts() -> None:
    lines = verdict_lines(
        verdict(
            verdict="invalid",
            replicas={"h1": {"different": 0}, "h2": {"different": 1500}},
            differences=[["h2", "published", "the", 62051, 62054]],
        ),
        1.0,
    )
    assert lines == [
        "invalid: books: h1 differs in 0, h2 differs in 1,500",
        "  h2 (published): 'the': expected 62,051, found 62,054",
    ]


def test_verdict_unknown_says_why() -> None:
    assert verdict_lines(verdict(verdict="unknown", reason="h2: gone"), 1.0) == [
        "unknown: books could not be verified: h2: gone"
    ]


def test_words_are_data_not_markup() -> None:
    """Given words that look like markup, move the cursor, or never end.
    Expect them on screen as they are, or made visible, or shortened."""
    out = StringIO()
    Console(file=out, width=100).print(word_table([("[red]", 3), ("a\x1b[2J", 2), ("x" * 999, 1)]))
    text = out.getvalue()
    assert "[red]" in text
    assert "\x1b" not in text
    assert "a\\x1b[2J" in text
    assert "x" * 60 + "..." in text
    assert "x" * 61 not in text
