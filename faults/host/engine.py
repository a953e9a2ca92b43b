"""Begin and end faults on this host, so that each ends whatever happens to whom began it.

The order in `begin` is the guarantee: the record, then the timer, then the harm. Killed before the
timer runs, nothing was harmed; killed after, the timer mends it. Mending is idempotent, so it does
not matter who comes first: the timer, a person, or a sweep.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.host import clock, deadline
from faults.host.records import Record, Records

COMMAND_SECONDS = 20.0
COMMAND_SHOWN = 200  # characters of a command that an error repeats


class Failed(Exception):
    """A command of a fault failed; the message is what it said."""


@dataclass(frozen=True)
class Order:
    """A fault to begin, as the controller sends it. `before`, `apply` and `heal` are commands.

    What `before` prints is kept and given to the other two as FAULT_BEFORE. With `inherit`, a fault
    that replaces another of its kind on the same target takes over what that one found.
    """

    id: str
    fault: str
    target: str
    text: str
    seconds: float
    before: str
    apply: str
    heal: str
    inherit: bool


def begin(records: Records, order: Order) -> Record:
    """Break something, its mending arranged first. Raises Failed, with all mended again."""
    with records.lock():
        older = [
            one for one in records.all() if one.fault == order.fault and one.target == order.target
        ]
        found = older[0].before if older and order.inherit else _run(order.before, "").strip()
        record = Record(
            id=order.id,
            fault=order.fault,
            target=order.target,
            text=order.text,
            started=time.time(),
            deadline=time.time() + order.seconds,
            boot=clock.boot(),
            until=clock.since_boot() + order.seconds,
            before=found,
            heal=order.heal,
        )
        records.write(record)
        deadline.start(records, record, lambda: end(records, record))
        for one in older:
            # The newer one mends what the older one broke, unless that was something else.
            if one.before != found:
                _run(one.heal, one.before)
            _forget(records, one)
        try:
            _run(order.apply, found)
        except Failed:
            _run(record.heal, record.before)
            _forget(records, record)
            raise
    return record


def end(records: Records, record: Record) -> None:
    """Mend, end the timer, forget. Does nothing for a fault that has ended. Raises Failed."""
    with records.lock():
        if records.exists(record.id):
            _run(record.heal, record.before)
            _forget(records, record)


def heal(records: Records, wanted: Callable[[Record], bool]) -> dict[str, Any]:
    """End those faults: {"healed": [id, ...], "failed": {id: reason}}."""
    healed, failed = [], {}
    for record in filter(wanted, records.all()):
        try:
            end(records, record)
            healed.append(record.id)
        except Failed as error:
            failed[record.id] = str(error)
    return {"healed": healed, "failed": failed}


def is_stale(records: Records, record: Record) -> bool:
    """Nobody will end it: it is over time, or its timer is dead."""
    held = records.timer(record.id)
    return record.seconds_left == 0 or held is None or not held.alive


def listing(records: Records) -> list[dict[str, Any]]:
    """The faults in force, for status."""
    return [
        {
            "id": record.id,
            "fault": record.fault,
            "target": record.target,
            "text": record.text,
            "seconds_left": round(record.seconds_left, 1),
            "stale": is_stale(records, record),
            "heal": record.heal,
        }
        for record in records.all()
    ]


def _forget(records: Records, record: Record) -> None:
    held = records.timer(record.id)
    deadline.end(held)
    records.remove(record.id)


def _run(command: str, before: str) -> str:
    """A shell command's output. Raises Failed."""
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            env={"PATH": PATH, "LANG": "C.UTF-8", "FAULT_BEFORE": before},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            cwd="/",
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {COMMAND_SECONDS:g} s of `{_shown(command)}`") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no message")[-600:]
        raise Failed(f"exit {done.returncode} from `{_shown(command)}`: {said}")
    return done.stdout


def _shown(command: str) -> str:
    """A command in a message: of a whole script its beginning."""
    line = " ".join(command.split())
    return line if len(line) <= COMMAND_SHOWN else f"{line[:COMMAND_SHOWN]}..."


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def records_of(data: str) -> Records:
    return Records(Path(data) / "run" / "faults")


def choose(ids: Iterable[str]) -> Callable[[Record], bool]:
    wanted = set(ids)
    return lambda record: record.id in wanted
