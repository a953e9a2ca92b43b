"""`python -m wc COMMAND ...` (wc/cli/main.py): by the host's fork server if it runs, else here."""

from __future__ import annotations

import sys

from wc.cli import fork_client
from wc.core.versions import controller_mismatch


def main(words: list[str]) -> int:
    if mismatch := controller_mismatch():
        sys.stderr.write(f"{mismatch}\n")
        return 1
    code = fork_client.run(words)
    if code is None:
        # Importing this takes longer than most commands.
        from wc.cli.main import main as run_here  # noqa: PLC0415

        code = run_here(words)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
