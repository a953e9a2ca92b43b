"""Ending faults before their deadline, by the healing command that the target has stored."""

from __future__ import annotations

from typing import Any

from faults import remote
from faults.console import Console
from faults.registry import REGISTRY
from faults.targets import Selection, Target, workers
from provision.connect.hosts import Hosts
from provision.inventory.model import Host, Inventory


def end_workers(inventory: Inventory, kind: str, selection: Selection, console: Console) -> int:
    """End faults of one kind: of the workers named, or all there are. Answers {"healed": [id]}."""
    everything = Selection(selection.host, selection.worker, every=True)
    targets, _ = workers(inventory, everything)
    named = {(target.host, target.name) for target in targets}
    console.answer["healed"] = []
    with Hosts(inventory) as hosts:

        def end(host: Host) -> list[dict[str, Any]]:
            connector, folder = hosts.connector(host), inventory.folder(host)
            chosen = [
                fault
                for fault in remote.in_force(connector, folder)
                if fault["fault"] == kind and (host, fault["target"]) in named
            ]
            ended = remote.end(connector, folder, [fault["id"] for fault in chosen])
            return [fault for fault in chosen if fault["id"] in ended]

        results = hosts.each(end, dict.fromkeys(target.host for target in targets))
    for name, result in results.items():
        if isinstance(result, Exception):
            console.fail(name, result)
            continue
        for fault in result:
            console.answer["healed"].append(fault["id"])
            console.print(f"{name} {fault['target']}: no longer {fault['text']}")
    if not console.answer["healed"] and not console.code:
        console.print(f"no {kind} is in force there: nothing to end")
    return console.finish()


def how_to_end(kind: str, target: Target) -> str:
    return f"{REGISTRY[kind].ends} {target.options}"
