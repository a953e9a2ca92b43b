"""Faults on a host, from afar: begun with a deadline, listed, ended.

The deadline is the target's own business: this sends one order, and what happens to us or to the
connection afterwards makes no difference to when the fault ends.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from faults.host.engine import Order
from faults.registry import Fault, Harm
from faults.targets import Target
from provision.connect.contract import CommandFailed, Connector
from provision.host.supervision import faults_program

BEGIN_SECONDS = 90.0
ANSWER_SECONDS = 60.0
NOT_FOUND = 127  # the shell's exit code for a program that is not there


def order(fault: Fault, target: Target, harm: Harm, seconds: float, tag: str) -> Order:
    """What the target is asked to do. `tag` makes the fault's id unique."""
    return Order(
        id=f"{fault.name}-{target.name}-{tag}",
        fault=fault.name,
        target=target.name,
        text=harm.text,
        seconds=seconds,
        before=harm.before,
        apply=harm.apply,
        heal=harm.heal,
        inherit=harm.inherit,
    )


def begin(connector: Connector, folder: str, wanted: Order) -> None:
    """Begin a fault on a host. Raises ConnectorError; CommandFailed means all is mended again."""
    connector.run(
        faults_program(folder, "begin"), stdin=json.dumps(asdict(wanted)), timeout=BEGIN_SECONDS
    )


def in_force(connector: Connector, folder: str) -> list[dict[str, Any]]:
    """Faults on a host: {"id", "fault", "host", "target", "text", "seconds_left", "stale"}.

    [] for a host that is not provisioned. Raises ConnectorError.
    """
    command = faults_program(folder, "list")
    result = connector.run(command, check=False, timeout=ANSWER_SECONDS)
    if result.exit_code == NOT_FOUND:
        return []
    if result.exit_code != 0:
        raise CommandFailed(connector.host.name, result)
    return [
        {key: fault[key] for key in ("id", "fault", "target", "text", "seconds_left", "stale")}
        | {"host": connector.host.name}
        for fault in json.loads(result.stdout)
    ]


def end(connector: Connector, folder: str, ids: list[str]) -> list[str]:
    """End faults on a host; the ids of those that were in force. Raises ConnectorError."""
    if not ids:
        return []
    result = connector.run(faults_program(folder, "heal", *ids), timeout=BEGIN_SECONDS)
    healed: list[str] = json.loads(result.stdout)["healed"]
    return healed
