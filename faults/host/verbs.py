"""What the controller runs on a target, as root. Answers are one JSON object or list.

    python -m faults.host begin --data FOLDER     # the order as JSON on standard input
    python -m faults.host list --data FOLDER [--stale]
    python -m faults.host heal --data FOLDER ID... | --all
    python -m faults.host sweep --data FOLDER     # heal faults whose timer is dead
    python -m faults.host identify PID            # prints PID START
    python -m faults.host signal STOP|CONT|KILL PID START

Signalling a process that is gone does nothing, except that STOP and KILL fail.
Exit codes: 0 done, 1 a command of the fault failed, 2 wrong usage.
"""

from __future__ import annotations

import json
import signal
import sys

from faults.host import engine, processes
from faults.host.engine import Failed, Order


def main(arguments: list[str]) -> int:
    try:
        return run(arguments)
    except (Failed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def run(arguments: list[str]) -> int:
    match arguments:
        case ["begin", "--data", data]:
            return begin(data)
        case ["identify", pid]:
            print(pid, processes.state(int(pid))[1])
            return 0
        case ["signal", ("STOP" | "CONT" | "KILL") as name, pid, start]:
            return send(signal.Signals[f"SIG{name}"], int(pid), int(start))
        case ["list", "--data", data, *rest] if rest in ([], ["--stale"]):
            faults = engine.listing(engine.records_of(data))
            print(json.dumps([one for one in faults if one["stale"] or not rest]))
            return 0
        case ["sweep", "--data", data]:
            records = engine.records_of(data)
            answer = engine.heal(records, lambda record: engine.is_stale(records, record))
        case ["heal", "--data", data, "--all"]:
            answer = engine.heal(engine.records_of(data), lambda _: True)
        case ["heal", "--data", data, *ids] if ids:
            answer = engine.heal(engine.records_of(data), engine.choose(ids))
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    print(json.dumps(answer))
    for fault, reason in answer["failed"].items():
        sys.stderr.write(f"{fault}: {reason}\n")
    return 1 if answer["failed"] else 0


def begin(data: str) -> int:
    record = engine.begin(engine.records_of(data), Order(**json.load(sys.stdin)))
    print(json.dumps({"id": record.id, "before": record.before}))
    return 0


def send(number: signal.Signals, pid: int, start: int) -> int:
    if processes.send(number, pid, start) or number == signal.SIGCONT:
        return 0
    sys.stderr.write(f"process {pid} ended before it could be signalled: run it again\n")
    return 1
