"""Running a fuzzer, and reading what libFuzzer says of the run."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.build import DICTIONARY, CannotFuzz

#: Longer inputs are not tried: the kernel's sizes are made small instead.
LONGEST_BYTES = 4096
#: An input that takes longer, or more memory, is a finding.
INPUT_SECONDS = 60
MEMORY_MB = 2048
#: How often `progress` is called, and how long a fuzzer may take to end after its time.
PROGRESS_SECONDS = 60.0
POLL_SECONDS = 0.5
GRACE_SECONDS = 120.0

_STATE = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+)", re.MULTILINE)
_EXECUTED = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What came of a run: inputs tried, edges of the code covered, the saved input if any."""

    executions: int
    edges: int
    finding: Path | None


def run(
    fuzzer: Path,
    corpus: list[Path],
    findings: Path,
    *,
    log: Path,
    seconds: int = 0,
    runs: int = -1,
    seed: int = 0,
    progress: Callable[[Outcome], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Fuzz until there is a finding, or for `seconds` (0: for ever), or for `runs` inputs.

    New inputs go into the first folder of `corpus`, a finding into `findings`, the fuzzer's own
    words to `log`. The same `seed` (not 0), corpus and `runs` are the same run. Raises CannotFuzz,
    also when told to `stop`.
    """
    for folder in (*corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(str(fuzzer), f"-dict={DICTIONARY}", f"-max_len={LONGEST_BYTES}"),
        *(f"-max_total_time={seconds}", f"-runs={runs}", f"-seed={seed}"),
        *(f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1"),
        # A slow input is saved like a finding, and on a busy machine any is slow.
        f"-report_slow_units={INPUT_SECONDS}",
        *(f"-artifact_prefix={findings}/{fuzzer.name}-", *map(str, corpus)),
    ]
    own = f"{fuzzer.name}-*"  # others may be running, and share the folder
    before = set(findings.glob(own))
    deadline = time.monotonic() + seconds + GRACE_SECONDS if seconds else None
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(),
        ) as process,
    ):
        try:
            reported = time.monotonic()
            while not _ended(process):
                now = time.monotonic()
                if now > reported + PROGRESS_SECONDS:
                    progress(_outcome(log, None))
                    reported = now
                if stop is not None and stop.is_set():
                    raise CannotFuzz(f"{fuzzer.name} was stopped")
                if deadline is not None and now > deadline:
                    raise CannotFuzz(f"{fuzzer.name} does not end: {_last(log)}")
        finally:
            process.kill()
    new = sorted(set(findings.glob(own)) - before)
    # An input found before has the name that it had then.
    finding = new[0] if new else _named_finding(log)
    if process.returncode != 0 and finding is None:
        raise CannotFuzz(f"{fuzzer.name} ended with code {process.returncode}: {_last(log)}")
    return _outcome(log, finding)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _last(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-1000:]


def _environment() -> dict[str, str]:
    # Lines of the source in a finding's stack, by binutils where llvm-symbolizer is not there.
    options = "allow_addr2line=1:detect_stack_use_after_return=1"
    return {**os.environ, "ASAN_OPTIONS": options, "UBSAN_OPTIONS": "print_stacktrace=1"}


def _named_finding(log: Path) -> Path | None:
    found = re.search(r"Test unit written to (.+)", log.read_text(errors="replace"))
    return Path(found[1]) if found else None


def _outcome(log: Path, finding: Path | None) -> Outcome:
    text = log.read_text(errors="replace")
    states = _STATE.findall(text)
    executions, edges = map(int, states[-1]) if states else (0, 0)
    executed = _EXECUTED.search(text)
    return Outcome(int(executed[1]) if executed else executions, edges, finding)
