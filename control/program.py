"""The program around the commands: `fab`, and `faultline`, which runs in any folder.

Fabric's own program ends with code 1 and one line for what it cannot parse. Here it is wrong usage
as any other: code 2, what may have been meant, and one JSON object with --json.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fabric import Config, Executor, main  # type: ignore[import-untyped]
from invoke.exceptions import Exit, ParseError
from invoke.parser.context import ParserContext

from provision.exit_codes import UsageError, exit_code

UNKNOWN = re.compile(r"No idea what '(.*)' is!")
WITHOUT_VALUE = re.compile(r"Flag <Argument: (\S+).*> needed value and was not given one!")


class Program(main.Fab):  # type: ignore[misc]
    """Fabric's program with errors of our own."""

    def parse_core_args(self) -> None:
        with self._usage_errors():
            super().parse_core_args()

    def parse_tasks(self) -> None:
        with self._usage_errors():
            super().parse_tasks()
        if "--json" in self.argv and len(self.tasks) > 1:
            names = " and ".join(task.name for task in self.tasks)
            raise Exit(code=_refuse(f"--json is for one command, not {names}", as_json=True))

    def parse_cleanup(self) -> None:
        with self._usage_errors():
            super().parse_cleanup()

    @contextmanager
    def _usage_errors(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            tasks = getattr(self, "collection", None)
            message = explain(error, self.argv[1:], tasks.task_names if tasks else ())
            raise Exit(code=_refuse(message, as_json="--json" in self.argv)) from None


def _refuse(message: str, *, as_json: bool) -> int:
    def refuse() -> int:
        raise UsageError(message)

    return exit_code(refuse, as_json=as_json)


def explain(error: ParseError, argv: list[str], tasks: Iterable[str]) -> str:
    """What is wrong with a command line, and what to do."""
    text, context = str(error), error.context
    task = context.name if context and context.name else ""
    if match := WITHOUT_VALUE.search(text):
        text = f"--{match[1]} needs a value"
    elif match := UNKNOWN.search(text):
        text = _unknown(match[1], argv, task, _options(context), list(tasks))
    return f"{text.rstrip('!.')}; see: {f'fab --help {task}' if task else 'fab -l'}"


def _unknown(word: str, argv: list[str], task: str, options: list[str], tasks: list[str]) -> str:
    before = argv[argv.index(word) - 1] if word in argv[1:] else ""
    if before.startswith("--") and [a.partition("=")[0] for a in argv].count(before) > 1:
        return f"{before} is given twice"
    if os.path.exists(word) or "/" in word:
        return (
            f"{word}: a file too many: the shell has expanded a glob, or a name has a blank; "
            "put quotes around it, --input '/path/*.txt'"
        )
    if word.startswith("-"):
        return f"{word}: no such option{_close(word, options)}"
    meant = _close(word, tasks)
    return (
        f"{word}: {task} takes options only"
        if task and not meant
        else (f"{word}: no such command{meant}")
    )


def _options(context: ParserContext | None) -> list[str]:
    return [] if context is None else [name for name in context.flag_names() if len(name) > 2]


def _close(word: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.partition("=")[0], list(names), n=2, cutoff=0.7)
    return f", did you mean {' or '.join(close)}?" if close else ""


def adopt() -> None:
    """Make Fabric's running program, which has just loaded the fabfile, one of ours."""
    main.program.__class__ = Program


def run() -> None:
    """`faultline`: the commands of the fabfile that was installed with it, in any folder."""
    import fabfile  # noqa: PLC0415 - which imports this module

    program = Program(
        name="faultline", binary="faultline", executor_class=Executor, config_class=Config
    )
    program.run([sys.argv[0], "--search-root", str(Path(fabfile.__file__).parent), *sys.argv[1:]])
