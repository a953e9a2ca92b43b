"""Ending faults sooner than their deadline, by the command the target has written down."""

from __future__ import annotations

from typing import Any

from faults import deadlines
from faults.console import Console
from faults.registry import REGISTRY
from faults.session import Session, session
from faults.targets import Selection, Target, workers
from provision.connect.contract import Connector, ConnectorError
from provision.inventory.model import Inventory


def end_workers(inventory: Inventory, kind: str, selection: Selection, console: Console) -> int:
    """End faults of one kind: of the workers named, or all there are. Answers {"healed": [id]}."""
    everything = Selection(selection.host, selection.worker, every=True)
    targets, _ = workers(inventory, everything)
    wanted = {(target.host.name, target.name) for target in targets}
    console.answer["healed"] = []
    with session(inventory) as hosts:
        for name in dict.fromkeys(target.host.name for target in targets):
            try:
                healed = _end(hosts, name, kind, wanted)
            except ConnectorError as error:
                console.fail(name, error)
                continue
            for fault in healed:
                console.answer["healed"].append(fault["id"])
                console.say(f"{name} {fault['target']}: no longer {fault['text']}")
    if not console.answer["healed"] and not console.code:
        console.say(f"no {kind} is in force there: nothing to end")
    return console.finish()


def _end(
    hosts: Session, name: str, kind: str, wanted: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    def work(connector: Connector, folder: str) -> list[dict[str, Any]]:
        found = [
            fault
            for fault in deadlines.in_force(connector, folder)
            if fault["fault"] == kind and (name, fault["target"]) in wanted
        ]
        ended = deadlines.end(connector, folder, [fault["id"] for fault in found])
        return [fault for fault in found if fault["id"] in ended]

    return hosts.on_hosts([name], work)[name]


def how_to_end(kind: str, target: Target) -> str:
    return f"{REGISTRY[kind].ends} {target.options}"
