"""How the Python scripts here begin and end: finding the project's packages, and exit codes.

Run by whichever python3 a shell finds, a script goes on in the project's own environment (.venv)
if that python3 lacks the packages. So this file uses the standard library alone, and no syntax
that an older Python does not know.
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
#: Packages of the controller (pyproject.toml); where these are, the others are.
NEEDED = ("fabric", "jinja2", "rich", "toml")


def enter():
    """Make `import control` work: here, or in .venv by starting the script again."""
    sys.path.insert(0, str(ROOT))
    # A package can be missing in the environment too, half made: then do not start again for ever.
    environment = ROOT / ".venv"
    missing = [name for name in NEEDED if find_spec(name) is None]
    if sys.version_info >= OLDEST and not missing:
        return
    python = environment / "bin" / "python"
    if Path(sys.prefix).resolve() != environment.resolve() and python.exists():
        os.execv(str(python), [str(python), *sys.argv])  # noqa: S606 - arguments as they are
    lacks = ", ".join(missing) or "Python 3.11 or later"
    why = "lacks " + lacks if python.exists() else "is not there"
    name = Path(sys.argv[0]).name
    sys.stderr.write(
        f"{name}: {environment} {why}: run scripts/quickstart, or scripts/test, first\n"
    )
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """Wrong usage is an error like any other: with --json it is a JSON object."""

    def error(self, message):
        if "--json" in sys.argv:
            from provision.output import print_json  # noqa: PLC0415 - after `enter`

            print_json({"error": {"kind": "usage", "message": message}})
        super().error(message)


def finish(command, as_json):
    """Exit with the code of `command`, or of its error."""
    from provision.exit_codes import exit_code  # noqa: PLC0415 - after `enter`
    from provision.output import end_when_unread  # noqa: PLC0415

    end_when_unread()
    sys.exit(exit_code(command, as_json=as_json))
