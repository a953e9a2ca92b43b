"""Begin, list and end the faults of a host, from the controller.

The target keeps the deadline itself (faults/host/deadline.py): once it has the order, the fault
ends in time even if the controller or the connection is gone.
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

#: Limits of the commands on a host, seconds.
BEGIN_SECONDS, ANSWER_SECONDS = 90.0, 60.0
NOT_FOUND = 127  # the shell's exit code for a program that is not there


def order(fault: Fault, target: Target, harm: Harm, seconds: float, tag: str) -> Order:
    """The order to a target to begin a fault. `tag` makes the fault's id unique."""
    name = f"{fault.name}-{target.name}-{tag}"
    return Order(id=name, fault=fault.name, target=target.name, seconds=seconds, **asdict(harm))


def begin(connector: Connector, folder: str, order: Order) -> None:
    """Begin a fault on a host. Raises ConnectorError; after CommandFailed nothing is broken."""
    connector.run(
        faults_program(folder, "begin"), stdin=json.dumps(asdict(order)), timeout=BEGIN_SECONDS
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
