"""Control groups by command line, as root.

    python -m cgroups exec --group lab/h1/worker-0 --user fl-lab -- COMMAND...
    python -m cgroups set lab/h1/worker-0 50      # percent of one core, or max
    python -m cgroups get lab/h1/worker-0
    python -m cgroups probe lab/h1/worker-0       # measure the CPU time it gets, as JSON
    python -m cgroups remove lab/h1               # with all groups below
    python -m cgroups rehearse trial              # does a limit work here, in a cluster so named?

Exit codes: 0 done, 1 refused by the kernel or not possible here, 2 wrong usage. `exec` has that of
its command.
"""

from __future__ import annotations

import os
import sys

NO_LIMIT = "max"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["exec", "--group", group, "--user", user, "--", *command] if command:
            from cgroups.enter import execute  # noqa: PLC0415 - each verb imports only its own

            execute(group, user, command)
        case ["exec", "--group", group, "--", *command] if command:
            from cgroups.enter import execute  # noqa: PLC0415

            execute(group, None, command)
        case ["set" | "get" | "probe" | "remove" | "rehearse" as verb, group, *rest]:
            return manage(verb, group, rest)
    sys.stderr.write(__doc__ or "")
    return 2


def manage(verb: str, group: str, rest: list[str]) -> int:
    from cgroups.detect import hierarchy  # noqa: PLC0415
    from cgroups.hierarchy import GroupError, Unusable  # noqa: PLC0415

    try:
        tree = hierarchy()
        match verb, rest:
            case "set", [typed]:
                tree.set_limit(group, percent(typed))
            case "get", []:
                limit = tree.limit(group)
                print(NO_LIMIT if limit is None else f"{limit:g}")
            case "probe", []:
                import json  # noqa: PLC0415

                from cgroups.probe import probe  # noqa: PLC0415

                print(json.dumps(vars(probe(tree, group))))
            case "remove", []:
                for path in tree.remove(group):
                    print(path)
            case "rehearse", []:
                tree.rehearse(group)
            case _:
                raise ValueError(f"{verb} {' '.join(rest)}: `python -m cgroups` shows the usage")
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Unusable as error:
        # Without control groups there is none to remove, so `remove` is done.
        sys.stderr.write(f"{error}\n")
        return 0 if verb == "remove" else 1
    except GroupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def percent(typed: str) -> float | None:
    """Parse a limit: `max` (None), or percent of one core. Raises ValueError with the range."""
    if typed == NO_LIMIT:
        return None
    most = 100 * (os.cpu_count() or 1)
    try:
        value = float(typed)
    except ValueError:
        value = 0.0
    if not 1 <= value <= most:
        raise ValueError(f"{typed}: allowed is {NO_LIMIT}, or 1 to {most} percent of one core")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
