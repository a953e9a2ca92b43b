"""What benchmarks have in common as commands: options, messages, exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn


def options(doc: str | None, example: str, runs: int) -> argparse.ArgumentParser:
    """The options that benchmarks have in common: --runs and --json."""
    parser = argparse.ArgumentParser(
        description=doc,
        epilog=f"exit codes: 0 measured; 1 a result was wrong; 2 wrong usage, or could not "
        f"measure\nexample: {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=positive, default=runs, help=f"of each case ({runs})")
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON object on standard output, messages on standard error",
    )
    return parser


def positive(text: str) -> int:
    """A whole number, at least 1, as argparse wants it."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, at least 1")
    return number


def say(text: str) -> None:
    """A message for the person who waits."""
    print(text, file=sys.stderr, flush=True)


class Wrong(Exception):
    """What was measured did not give the right answer."""


def run(measure: Callable[[], int]) -> NoReturn:
    """Leave with the benchmark's exit code; an error is one message and its code."""
    try:
        sys.exit(measure())
    except Wrong as error:
        say(f"wrong: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        say(f"could not measure: {type(error).__name__}: {error}")
        sys.exit(2)
