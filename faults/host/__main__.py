"""What the controller runs on a target, as root: `python -m faults.host` (faults/host/verbs.py)."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    match arguments:
        # Mostly there are none, and to import what reads them takes longest.
        case ["list", "--data", data] if not _files(os.path.join(data, "run", "faults")):
            print("[]")
            return 0
    from faults.host import verbs  # noqa: PLC0415

    return verbs.main(arguments)


def _files(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
