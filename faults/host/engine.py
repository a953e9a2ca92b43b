"""Begin and end faults on this host, so that each ends even if the program that began it dies.

The order in `begin` is the guarantee: the record, then the timer, then the harm. If `begin` is
killed before the timer runs, nothing was harmed; if after, the timer heals it. Healing is
idempotent, so it does not matter who does it first: the timer, a person, or a sweep.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.host import clock, deadline
from faults.host.records import Record, Records

COMMAND_SECONDS = 20.0  # a command of a fault that takes longer is killed
COMMAND_SHOWN = 200  # characters of a command that an error repeats


class Failed(Exception):
    """A command of a fault failed; the message has its output."""


@dataclass(frozen=True)
class Order:
    """A fault to begin, as the controller sends it. `before`, `apply` and `heal` are commands.

    The output of `before` is stored and given to the other two as FAULT_BEFORE. With `inherit`, a
    fault that replaces another of its kind on the same target takes over that one's FAULT_BEFORE.
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
    """Break something, after arranging its end. Raises Failed, after healing what was done."""
    with records.lock():
        older = [
            one for one in records.all() if one.fault == order.fault and one.target == order.target
        ]
        before = older[0].before if older and order.inherit else _run(order.before, "").strip()
        record = Record(
            id=order.id,
            fault=order.fault,
            target=order.target,
            text=order.text,
            started=time.time(),
            deadline=time.time() + order.seconds,
            boot=clock.boot(),
            until=clock.since_boot() + order.seconds,
            before=before,
            heal=order.heal,
        )
        records.write(record)
        deadline.start(records, record, lambda: end(records, record))
        for one in older:
            # The new fault's end also heals the older one, unless their states before differ.
            if one.before != before:
                _run(one.heal, one.before)
            _forget(records, one)
        try:
            _run(order.apply, before)
        except Failed:
            _run(record.heal, record.before)
            _forget(records, record)
            raise
    return record


def end(records: Records, record: Record) -> None:
    """Heal, end the timer, remove the record; nothing if the fault has ended. Raises Failed."""
    with records.lock():
        if records.exists(record.id):
            _run(record.heal, record.before)
            _forget(records, record)


def heal(records: Records, chosen: Callable[[Record], bool]) -> dict[str, Any]:
    """End the chosen faults: {"healed": [id, ...], "failed": {id: reason}}."""
    healed, failed = [], {}
    for record in filter(chosen, records.all()):
        try:
            end(records, record)
            healed.append(record.id)
        except Failed as error:
            failed[record.id] = str(error)
    return {"healed": healed, "failed": failed}


def is_stale(records: Records, record: Record) -> bool:
    """Whether nothing will end it: its deadline has passed, or its timer is dead."""
    timer = records.timer(record.id)
    return record.seconds_left == 0 or timer is None or not timer.alive


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
    deadline.end(records.timer(record.id))
    records.remove(record.id)


def _run(command: str, before: str) -> str:
    """A shell command's output. Raises Failed."""
    with subprocess.Popen(
        ["sh", "-c", command],
        env={"PATH": PATH, "LANG": "C.UTF-8", "FAULT_BEFORE": before},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            # What the shell started must not change anything after the fault was given up.
            os.killpg(process.pid, signal.SIGKILL)
            raise Failed(f"no end after {COMMAND_SECONDS:g} s of `{_shown(command)}`") from None
    if process.returncode != 0:
        output = (stderr.strip() or stdout.strip() or "no message")[-600:]
        raise Failed(f"exit {process.returncode} from `{_shown(command)}`: {output}")
    return stdout


def _shown(command: str) -> str:
    """A command, shortened for a message."""
    line = " ".join(command.split())
    return line if len(line) <= COMMAND_SHOWN else f"{line[:COMMAND_SHOWN]}..."


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def records_of(data: str) -> Records:
    return Records(Path(data) / "run" / "faults")


def choose(ids: Iterable[str]) -> Callable[[Record], bool]:
    chosen = set(ids)
    return lambda record: record.id in chosen
