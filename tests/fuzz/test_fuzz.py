"""A short run of the fuzzers, the same each time; and that they find mistakes at all.

scripts/fuzz runs them for longer.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.fuzz.build import (
    BUGS,
    BUILDS,
    PACKAGES,
    SMALL,
    TARGETS,
    Build,
    CannotFuzz,
    compiled,
    copy_headers,
)
from tests.fuzz.run import run
from tests.fuzz.seeds import write_seeds

#: How many inputs each build tries: some seconds for each target.
RUNS = {
    "count": {"shipped": 3000, "portable": 3000, "small": 6000, "long": 20},
    "delta": {"shipped": 800, "portable": 800, "small": 1600, "long": 20},
}
#: Within so many inputs a planted bug is found, beginning with the seeds.
FOUND_WITHIN = 150_000


@pytest.fixture(autouse=True)
def _clang() -> None:
    """Whatever needs clang is skipped without; CI must have it."""
    if shutil.which("clang") is None:
        reason = f"there is no clang: apt-get install {PACKAGES}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    # Given the inputs that the fuzzers begin with
    write_seeds(target, tmp_path / "seeds")
    for build in BUILDS:
        # If so many more are tried, each build beginning with what others found
        log = tmp_path / f"{build.name}.log"
        outcome = run(
            compiled(target, build, tmp_path),
            [tmp_path / build.corpus, tmp_path / "seeds"],
            tmp_path / "findings",
            log=log,
            runs=RUNS[target][build.name],
            seed=1,
        )
        # Expect no finding, and most of the code covered
        assert outcome.finding is None, f"{build.name}: {log.read_text()[-4000:]}"
        assert outcome.executions >= RUNS[target][build.name]
        assert outcome.edges > 350, f"{build.name} has seen little of the code"


@pytest.mark.parametrize("name", BUGS)
def test_planted_bugs_are_found(name: str, tmp_path: Path) -> None:
    # Given a kernel with a bug
    bug = BUGS[name]
    write_seeds(bug.target, tmp_path / "seeds")
    # If it is fuzzed, with the small sizes, which try most inputs a second
    outcome = run(
        compiled(bug.target, Build("planted", sizes=SMALL, bug=bug), tmp_path),
        [tmp_path / "corpus", tmp_path / "seeds"],
        tmp_path / "findings",
        log=tmp_path / "log",
        runs=FOUND_WITHIN,
        seed=1,
    )
    # Expect the bug, and the input that shows it
    assert outcome.finding is not None
    assert outcome.finding.parent == tmp_path / "findings"
    log = (tmp_path / "log").read_text()
    assert "ERROR: AddressSanitizer" in log or ": expected: " in log


def test_a_size_that_the_kernel_no_longer_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotFuzz, match="wc/counts/native/ defines no GONE any more"):
        copy_headers(tmp_path, {"STEP": "100u", "GONE": "1u"})


def test_a_finding_belongs_to_the_fuzzer_that_made_it(tmp_path: Path) -> None:
    # Given a fuzzer that finds nothing, while another puts a finding into the folder of both
    fuzzer = tmp_path / "quiet"
    fuzzer.write_text(f"#!/bin/sh\ntouch {tmp_path}/findings/other-crash-1f\n")
    fuzzer.chmod(0o755)
    # If it is run, expect no finding
    outcome = run(fuzzer, [tmp_path / "corpus"], tmp_path / "findings", log=tmp_path / "log")
    assert outcome.finding is None
