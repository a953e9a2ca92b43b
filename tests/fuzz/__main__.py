"""scripts/fuzz: fuzz the counting kernel (wc/counts/native/) under AddressSanitizer and UBSan."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz.build import BUILDS, TARGETS, Build, CannotFuzz, compiled
from tests.fuzz.run import Outcome, run

EPILOG = """example:
  scripts/fuzz --seconds 3600 --jobs 2
  scripts/fuzz --target delta --again ~/.cache/faultline/fuzz/delta/findings/delta-small-crash-1f

Inputs worth keeping go to ~/.cache/faultline/fuzz (or below XDG_CACHE_HOME), where the next run
begins with them; findings too, until you delete them.

exit codes: 0 no finding; 1 a finding, its path was named; 2 wrong usage, or fuzzing is not possible
here; 130 interrupted."""


def cache() -> Path:
    """Where inputs and findings are kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "faultline" / "fuzz"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Fuzz the counting kernel under AddressSanitizer and UBSan.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        *("--seconds", "-s"),
        type=partial(whole, least=len(BUILDS)),
        default=60,
        help="of fuzzing for each target, dealt to its builds (default: 60)",
    )
    parser.add_argument("--target", choices=TARGETS, help="only this one (default: all)")
    parser.add_argument(
        "--jobs", type=partial(whole, least=1), default=1, help="builds at a time (default: 1)"
    )
    parser.add_argument("--again", type=Path, metavar="FILE", help="only try this input again")
    given = parser.parse_args()
    if given.again and not (given.target and given.again.is_file()):
        parser.error("--again needs --target, and a file that is there")
    return given


def whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {least} on expected")
    return int(text)


def say(text: str) -> None:
    print(text, flush=True)


def fuzz(target: str, build: Build, seconds: int, fuzzers: Path, stop: threading.Event) -> Outcome:
    """Fuzz one build of a target."""
    name = f"{target}/{build.name}"
    kept = cache() / target
    fuzzer = compiled(target, build, fuzzers)
    outcome = run(
        fuzzer,
        [kept / build.corpus, kept / "findings", fuzzers / f"seeds-{target}"],
        kept / "findings",
        log=fuzzers / f"{target}-{build.name}.log",
        seconds=max(1, seconds * build.share // sum(build.share for build in BUILDS)),
        progress=lambda now: say(f"  {name}: {now.executions:,} executions, {now.edges} edges"),
        stop=stop,
    )
    what = "no finding" if outcome.finding is None else f"FINDING {outcome.finding}"
    say(f"{name}: {outcome.executions:,} executions, {outcome.edges} edges, {what}")
    if outcome.finding is not None:
        say(report(fuzzers / f"{target}-{build.name}.log"))
        say(f"again: scripts/fuzz --target {target} --again {outcome.finding}")
    return outcome


def report(log: Path) -> str:
    """What was found: the sanitizer's or the harness' words, and the stack."""
    lines = log.read_text(errors="replace").splitlines()
    finding = re.compile("ERROR: |runtime error: |: expected: ")
    first = next((at for at, line in enumerate(lines) if finding.search(line)), len(lines) - 40)
    return "\n".join(lines[max(0, first) :][:40])


def try_again(target: str, file: Path, fuzzers: Path) -> int:
    """Run one input through all builds of a target."""
    code = 0
    for build in BUILDS:
        fuzzer = compiled(target, build, fuzzers)
        done = subprocess.run([str(fuzzer), str(file.resolve())], check=False, cwd=fuzzers)
        say(f"{target}/{build.name}: {'FINDING' if done.returncode else 'no finding'}")
        code = max(code, 1 if done.returncode else 0)
    return code


def fuzz_all(given: argparse.Namespace, fuzzers: Path) -> int:
    from tests.fuzz.seeds import write_seeds  # noqa: PLC0415 - needs packages, --help does not

    targets = [given.target] if given.target else list(TARGETS)
    for target in targets:
        write_seeds(target, fuzzers / f"seeds-{target}")
    stop = threading.Event()
    with ThreadPoolExecutor(given.jobs) as pool:
        started = [
            pool.submit(fuzz, target, build, given.seconds, fuzzers, stop)
            for target in targets
            for build in BUILDS
        ]
        try:
            outcomes = [each.result() for each in started]
        finally:  # interrupted, or one of them cannot run: the others need not go on
            stop.set()
            pool.shutdown(cancel_futures=True)
    total = sum(outcome.executions for outcome in outcomes)
    findings = sum(outcome.finding is not None for outcome in outcomes)
    say(f"{total:,} executions, {findings} findings; inputs kept in {cache()}")
    return 1 if findings else 0


def main() -> int:
    given = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    fuzzers = Path(tempfile.mkdtemp(prefix="faultline-fuzz-"))
    try:
        if given.again:
            return try_again(given.target, given.again, fuzzers)
        return fuzz_all(given, fuzzers)
    except (CannotFuzz, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"fuzz: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: run it again to go on\n")
        return 130
    finally:
        shutil.rmtree(fuzzers, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
