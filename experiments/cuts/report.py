"""The coverage of a run over sets of links: as JSON, as lines, and as a page of the docs."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from experiments.cuts.trial import EXACT, INEXACT, UNKNOWN, Trial, words

COMMAND = "scripts/cut_sets"
INTRODUCTION = """\
# Counts under every set of cut links

Written by `{command} --report`, not by hand. A link is what one host's workers and driver
need to reach one host's Redis, their own included: three hosts have 9 links, and so 511 non-empty
sets of links. Each set is cut in the middle of a job, then healed. When the job has ended, the
replicas are repaired, and every word of every replica, merged and published, is compared with a
serial recount.

*Exact*: no word differs anywhere. *In the middle*: some splits were applied before the cut, and
some were not when it was in force. That the links were cut was measured each time, by connecting.
"""


@dataclass
class Coverage:
    """The trials of a run. `chosen_sets` is how many sets were chosen, `chosen` how."""

    chosen_sets: int
    chosen: str
    seed: int
    trials: list[Trial] = field(default_factory=list)
    retried: int = 0
    seconds: float = 0.0

    def of(self, verdict: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.verdict == verdict]

    @property
    def in_the_middle(self) -> int:
        return sum(trial.in_the_middle for trial in self.trials)

    @property
    def code(self) -> int:
        """0 all exact, 1 some set is not, 2 unknown of some set, or not all have run."""
        if self.of(INEXACT):
            return 1
        return 0 if len(self.of(EXACT)) == self.chosen_sets else 2

    def as_dict(self) -> dict[str, Any]:
        return {
            "sets": self.chosen_sets,
            "chosen": self.chosen,
            "seed": self.seed,
            "run": len(self.trials),
            "exact": len(self.of(EXACT)),
            "not_exact": len(self.of(INEXACT)),
            "unknown": len(self.of(UNKNOWN)),
            "in_the_middle": self.in_the_middle,
            "retried": self.retried,
            "seconds": round(self.seconds, 1),
            "by_links": [
                {"links": row[0], "run": row[1], "exact": row[2], "in_the_middle": row[3]}
                for row in _rows(self.trials)
            ],
            "trials": [trial.as_dict() for trial in self.trials],
        }


def progress(coverage: Coverage, trial: Trial) -> str:
    """The line of one set, with the minutes left at the pace so far."""
    done = len(coverage.trials)
    left = (coverage.chosen_sets - done) * coverage.seconds / done
    splits = f"{trial.before} splits before, {trial.after} after"
    if trial.reason:
        splits += f": {trial.reason}"
    return (
        f"{done}/{coverage.chosen_sets}  {words(trial.links)}  {trial.verdict}, {splits}, "
        f"{trial.seconds:.1f} s; {left / 60:.0f} min left"
    )


def summary(coverage: Coverage) -> list[str]:
    """The result, and the command that repeats what failed."""
    lines = [
        f"{len(coverage.trials)} of {coverage.chosen_sets} sets of links run in "
        f"{coverage.seconds:.0f} s: {len(coverage.of(EXACT))} exact, "
        f"{len(coverage.of(INEXACT))} not exact, {len(coverage.of(UNKNOWN))} could not be told",
        f"{coverage.in_the_middle} jobs were in the middle when the links were cut",
    ]
    for trial in (*coverage.of(INEXACT), *coverage.of(UNKNOWN)):
        lines.append(f"{trial.verdict}: {trial.reason}\n  again: {again(trial)}")
    return lines


def again(trial: Trial) -> str:
    return f"{COMMAND} --links {words(trial.links)}"


def page(coverage: Coverage) -> str:
    """The run as a page of Markdown."""
    verdicts = f"{len(coverage.of(INEXACT))} not exact, {len(coverage.of(UNKNOWN))} unknown"
    run = len(coverage.trials)
    lines = [
        INTRODUCTION.format(command=COMMAND),
        "| | |",
        "| --- | --- |",
        f"| when, where | {date.today().isoformat()}, {_machine()} |",
        f"| sets | {coverage.chosen}: {run} of {coverage.chosen_sets} run, seed {coverage.seed} |",
        f"| exact | {len(coverage.of(EXACT))} ({verdicts}) |",
        f"| jobs in the middle when cut | {coverage.in_the_middle} |",
        f"| tried again, as the job was over before the cut | {coverage.retried} times |",
        f"| took | {coverage.seconds / 60:.1f} minutes |",
        "",
        "Medians of the splits applied before the cut, of those not yet applied when it was in",
        "force, of the seconds for which links were cut, and of the seconds of the whole trial:",
        "",
        "| links cut | sets | exact | in the middle | before | after | cut for | whole |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {links} | {sets} | {exact} | {middle} | {before:.0f} | {after:.0f} | {cut:.1f} |"
        f" {whole:.1f} |"
        for links, sets, exact, middle, before, after, cut, whole in _rows(coverage.trials)
    ]
    failed = (*coverage.of(INEXACT), *coverage.of(UNKNOWN))
    if failed:
        lines += ["", "| not exact, or unknown | why | again |", "| --- | --- | --- |"]
        for trial in failed:
            reason = trial.reason.replace("|", "\\|")
            lines.append(f"| {words(trial.links)} | {reason} | `{again(trial)}` |")
    return "\n".join([*lines, ""])


def _rows(trials: Sequence[Trial]) -> list[tuple[int, int, int, int, float, float, float, float]]:
    """By number of links: sets, exact, in the middle; medians of before, after and seconds."""
    rows = []
    for count in sorted({len(trial.links) for trial in trials}):
        some = [trial for trial in trials if len(trial.links) == count]
        rows.append(
            (
                count,
                len(some),
                sum(trial.verdict == EXACT for trial in some),
                sum(trial.in_the_middle for trial in some),
                statistics.median(trial.before for trial in some),
                statistics.median(trial.after for trial in some),
                statistics.median(trial.cut_seconds for trial in some),
                statistics.median(trial.seconds for trial in some),
            )
        )
    return rows


def _machine() -> str:
    kernel = platform.release().split("-")[0]
    return f"{os.cpu_count()} cores, {platform.machine()}, Linux {kernel}"
