"""A short run of the fuzzers, the same each time; and that they find mistakes at all.

scripts/fuzz runs them for longer.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.fuzz.build import BUILDS, PACKAGES, PLANTED, TARGETS, CannotFuzz, compiled, copy_headers
from tests.fuzz.run import run
from tests.fuzz.seeds import write_seeds

#: How many inputs each build tries: some seconds for each target. What narrow is about, white space
#: and UTF-8, count has seen.
RUNS = {
    "count": {"shipped": 2000, "narrow": 1000, "portable": 2000, "small": 4000, "long": 20},
    "delta": {"shipped": 800, "portable": 800, "small": 1600, "long": 20},
    "letters": {"shipped": 2700, "portable": 2700, "small": 2700, "long": 20},
    "tweets": {"shipped": 5000, "portable": 5000, "small": 5000, "long": 20},
}
#: Within so many inputs a planted bug is found, from nothing; it took 2 500 to 50 000.
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
    for build in (build for build in BUILDS if build.name in RUNS[target]):
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


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("count", "heap-buffer-overflow"),
        ("delta", "expected: table->total == answer->total"),
        ("letters", "expected: "),
        ("tweets", "expected: "),
    ],
)
def test_planted_bugs_are_found(target: str, says: str, tmp_path: Path) -> None:
    # Given a kernel with a bug, and no input to begin with
    fuzzer = compiled(target, PLANTED, tmp_path)
    # If it is fuzzed
    outcome = run(
        fuzzer,
        [tmp_path / "corpus"],
        tmp_path / "findings",
        log=tmp_path / "log",
        runs=FOUND_WITHIN,
        seed=1,
    )
    # Expect the bug, and the input that shows it
    assert outcome.finding is not None
    assert outcome.finding.parent == tmp_path / "findings"
    assert says in (tmp_path / "log").read_text()


def test_a_size_that_the_kernel_no_longer_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotFuzz, match="wc/counts/native/ defines no GONE any more"):
        copy_headers(tmp_path, {"STEP": 100, "GONE": 1})
