"""What the Python scripts here begin and end with: the project's packages, and exit codes.

Run by whichever python3 a shell finds, a script goes on in the project's own environment (.venv)
if that python3 lacks the packages. So this file uses the standard library alone, and no syntax
that an older Python does not know.
"""

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
    sys.exit(_tell(f"{name}: {environment} {why}: run scripts/quickstart, or scripts/test, first"))


def finish(call):
    """Exit with the code of `call`, or of its error. FAULTLINE_DEBUG=1 shows tracebacks."""
    from provision.commands import UsageError  # noqa: PLC0415 - after `enter`

    try:
        code = call()
        sys.stdout.flush()
    except UsageError as error:
        code = _tell(str(error))
    except KeyboardInterrupt:
        _tell("interrupted: run it again to finish")
        code = 130
    except Exception as error:
        if os.environ.get("FAULTLINE_DEBUG") == "1":
            raise
        code = _tell(f"{type(error).__name__}: {error} (FAULTLINE_DEBUG=1 shows where)")
    sys.exit(code)


def _tell(message):
    sys.stderr.write(message + "\n")
    return 2
