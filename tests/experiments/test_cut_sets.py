"""scripts/cut_sets: a real cluster of its own, made and destroyed; and what its report says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cuts import report
from experiments.cuts.report import Coverage
from experiments.cuts.trial import EXACT, INEXACT, UNKNOWN, Trial
from tests.netns import CHECKOUT, poll, require_root, unique_name

SECONDS = 300


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "scripts/cut_sets", *arguments],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def left(name: str) -> list[Path]:
    """What there is of a cluster of that name: namespaces, and its folder."""
    found = list(Path("/run/netns").glob(f"fl-{name}-*"))
    return found + list(Path("/var/lib/faultline").glob(name))


@pytest.mark.cluster
def test_two_sets(tmp_path: Path) -> None:
    # Given no cluster
    require_root()
    name = unique_name()
    # If two sets of links are tried
    process = start(
        *("--only", "2", "--seed", "5", "--name", name),
        *("--json", "--report", str(tmp_path / "cuts.md")),
    )
    out, err = process.communicate(timeout=SECONDS)
    # Expect both exact, a page that says so, and nothing left
    assert process.returncode == 0, err
    answer = json.loads(out)
    assert (answer["sets"], answer["run"], answer["exact"]) == (2, 2, 2)
    assert [trial["splits"] for trial in answer["trials"]] != [0, 0]
    assert all(trial["before"] > 0 for trial in answer["trials"])
    assert "| exact | 2 (0 not exact, 0 unknown) |" in (tmp_path / "cuts.md").read_text()
    assert left(name) == []


@pytest.mark.cluster
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(number: signal.Signals) -> None:
    # Given a run that has begun to make its cluster
    require_root()
    name = unique_name()
    process = start("--only", "1", "--name", name)
    poll(lambda: left(name))
    # If it is interrupted
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    # Expect it to say so, and to destroy what there was
    assert process.returncode == 130, err
    assert left(name) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--links", "h1:h9"], "--links 'h1:h9': allowed are h1:h1, h1:h2"),
        (["--only", "0"], "--only 0: allowed is a whole number from 1 on"),
        (["--report", "/nowhere/cuts.md"], "--report /nowhere/cuts.md: its folder"),
        (["--name", "Not A Name"], "Not A Name"),
        (["--links", "h1:h1", "--classes"], "not allowed with"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    # Given no cluster; if it is asked for what it cannot do
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    # Expect a message that says what is allowed, before anything is made
    assert process.returncode == 2
    assert message in err
    assert "making" not in out or "Not A Name" in message


def trial(verdict: str, reason: str = "", after: int = 5) -> Trial:
    links = (("h1", "h1"), ("h2", "h3"))
    return Trial(links, "job", verdict, reason, 9, 4, after, 1.0, 3.0)


@pytest.mark.parametrize(
    ("trials", "code"),
    [
        ([trial(EXACT), trial(EXACT)], 0),
        ([trial(EXACT)], 2),
        ([trial(EXACT), trial(UNKNOWN)], 2),
        ([trial(UNKNOWN), trial(INEXACT)], 1),
    ],
)
def test_exit_codes(trials: list[Trial], code: int) -> None:
    """Given trials of two sets. Expect 0 only when both have run, and were exact."""
    assert Coverage(2, "all", 1, trials).code == code


def test_a_failure_is_named_with_the_command_that_repeats_it() -> None:
    # Given a set that was not exact, and one whose job was over before the cut
    coverage = Coverage(2, "all", 1, [trial(INEXACT, "h2: a | differs"), trial(EXACT, after=0)])
    # Expect the command in the summary and on the page, and one job in the middle
    again = "scripts/cut_sets --links h1:h1,h2:h3"
    assert again in "\n".join(report.summary(coverage))
    page = report.page(coverage)
    assert f"| h1:h1,h2:h3 | h2: a \\| differs | `{again}` |" in page
    assert "| jobs in the middle when cut | 1 |" in page
    assert coverage.as_dict()["in_the_middle"] == 1
