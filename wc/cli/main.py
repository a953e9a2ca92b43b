"""The commands of a host: they print one JSON object, or a stream of them, on standard output.

These are the commands that `fab` runs on hosts, as the workers' user; a person may run them
there too. Exit codes: 0 done, 1 the request cannot be met (the message says why), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from wc.core import config

#: Commands that need no Redis, and so not its client.
OF_FILES = ("plan", "planning", "prepare", "activate", "files", "revise", "watch")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wc",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m wc top --config etc/wc.json --limit 20",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--config", type=Path, required=True, help="the host's wc.json")
        sub.set_defaults(command=name)
        return sub

    plan = command("plan", "expand and check an input glob")
    plan.add_argument("--input", required=True, help="globs, a line each")
    plan.add_argument("--tokenizer", default="whitespace")
    plan.add_argument("--none-ok", action="store_true", help="no match is no error")
    command("planning", "how many files a plan that is being made here has seen")
    prepare = command("prepare", "make a job durable here: {spec, files} on standard input")
    prepare.add_argument("--activate", action="store_true", help="and start it at once")
    for name, text in (
        ("job", "a job's specification"),
        ("activate", "start a prepared job, or a prepared revision of its files"),
        ("files", "the files of a job that this origin counts"),
        ("revise", "prepare new files: {revision, retracted, files} on standard input"),
        ("retry-dead", "try this origin's given-up splits again"),
        ("state", "this host's replica, and a job as it has it"),
        ("top", "a job's most frequent words"),
        ("count", "how often words were counted: a list of them, as JSON, on standard input"),
        ("recount", "count an origin's inputs serially, into a file"),
        ("compare", "compare this replica with expected counts, word by word"),
    ):
        sub = command(name, text)
        sub.add_argument("--job", default="", help="the job's name (default: the latest)")
        if name in ("top", "compare"):
            sub.add_argument("--limit", type=int, default=10)
        if name == "recount":
            sub.add_argument("--out", required=True, help="where the counts go, as JSON")
            sub.add_argument("--origin", default="", help="count the files of another origin")
        if name == "activate":
            sub.add_argument("--revision", type=int, help="of the files (default: the job itself)")
            sub.add_argument("--created", type=float, help="only the job that was created then")
        if name == "files":
            sub.add_argument(
                "--input", default="", help="only the files that these globs match, a line each"
            )
        if name == "top":
            sub.add_argument("--repair", action="store_true", help="repair the replicas first")
        if name == "compare":
            sub.add_argument("--expected", required=True, help="the counts to expect, as JSON")
    repair = command("repair", "copy what some replicas lack and others have")
    repair.add_argument("--job", default="", help="the job's name (default: all jobs)")
    repair.add_argument("--source", action="append", help="copy from this replica (repeatable)")
    repair.add_argument("--target", action="append", help="copy to this replica (repeatable)")
    repair.add_argument("--check", action="store_true", help="compare only")
    save = command("export", "write what this replica has to a file")
    save.add_argument("--out", required=True, help="the file, appearing when it is whole")
    merge = command("import", "merge such a file into replicas")
    merge.add_argument("--file", required=True, help="written by export")
    merge.add_argument("--target", action="append", help="merge into this replica (repeatable)")
    for sub in (save, merge):
        sub.add_argument("--job", default="", help="the job's name (default: all jobs)")
    command("jobs", "all jobs: files, words, memory, and how they ended here")
    command("names", "the names of all jobs, and of those that were deleted")
    command("delete", "delete jobs here: {name: origins}, as JSON, on standard input")
    follow = command("watch", "follow a job until it has ended here, a line a poll")
    follow.add_argument("--job", required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    kind = "file" if options.command in OF_FILES else "replica"
    answers = importlib.import_module(f"wc.cli.{kind}_commands")
    try:
        answer = answers.ANSWERS[options.command](config.load(options.config), options)
        for line in answer if isinstance(answer, Iterator) else [answer]:
            print(json.dumps(line), flush=True)
    except (config.ConfigError, *answers.REFUSALS) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
