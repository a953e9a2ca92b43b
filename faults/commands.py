"""The commands that break workers and Redis: arguments as typed in, an exit code out
(provision/exit_codes.py). 1: a target refused, or the effect was not seen.

They print which target was chosen by default, and how to end a fault that lasts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from faults import crash_worker as crash
from faults import options, remote, signals, targets
from faults import slow_worker as cpu_limit
from faults.console import Console
from faults.registry import REGISTRY, Harm, harm
from faults.targets import Selection, Target
from provision.connect.contract import Connector
from provision.connect.hosts import Hosts, answers
from provision.exit_codes import UsageError
from provision.inventory import units
from provision.inventory.model import Host
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory

#: These modules declare their faults when they are imported.
KINDS = (cpu_limit, crash, signals)

Then = Callable[[Connector, Target], dict[str, Any]]


def slow_worker(
    inventory_path: Typed,
    selection: Selection,
    *,
    cpu: Typed,
    to: Typed,
    seconds: Typed,
    dry_run: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    if (cpu is None) == (to is None):
        raise UsageError(
            "say how much is left, by one of --cpu 50 (percent of one core) and --to 50% (of what "
            "the worker gets now)"
        )
    relative = None if to is None else units.percent(1, 99).option("--to", to)
    with Hosts(inventory) as hosts:
        where = dict.fromkeys(target.host for target in chosen)
        cores = answers(hosts.each(lambda h: int(hosts.connector(h).run("nproc").stdout), where))
        most = 100 * min(cores.values())
        console = _console(as_json, seed)
        if relative is None:
            percent = units.percent(1, most).option("--cpu", cpu or "")
            harms = [(target, harm("slow-worker", target, percent)) for target in chosen]
        else:
            harms = _relative(hosts, console, chosen, relative, most)
        then = cpu_limit.measure
        return _begin(hosts, console, "slow-worker", harms, seconds, dry_run, then)


def _relative(
    hosts: Hosts, console: Console, chosen: list[Target], percent: float, most: float
) -> list[tuple[Target, Harm]]:
    """Limits of so many percent of what each worker gets now, which is measured."""
    harms = []
    for target, now in targets.on_each(hosts, chosen, cpu_limit.share):
        if isinstance(now, Exception):
            console.fail(target.shown, now)
            continue
        limit = cpu_limit.part(now, percent, most)
        console.print(f"{target.shown}: gets {now:.1f} % of one core now")
        harms.append((target, harm("slow-worker", target, limit)))
    return harms


def pause_worker(
    inventory_path: Typed, selection: Selection, *, seconds: Typed, dry_run: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    with Hosts(inventory) as hosts:
        harms = [(target, harm("pause-worker", target)) for target in chosen]
        console = _console(as_json, seed)
        return _begin(hosts, console, "pause-worker", harms, seconds, dry_run)


def crash_worker(
    inventory_path: Typed,
    selection: Selection,
    *,
    at: Typed,
    once: bool,
    probability: Typed,
    off: bool,
    seconds: Typed,
    dry_run: bool,
    as_json: bool,
) -> int:
    if off:
        if at or once or probability:
            raise UsageError("--off ends the fault: allowed with --host and --worker only")
        return end(inventory_path, "crash-worker", selection, as_json=as_json)
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    if at is None:
        raise UsageError(f"--at is missing: allowed is one of {', '.join(crash.POINTS)}")
    units.one_of(*crash.POINTS).option("--at", at)
    if once and probability is not None:
        raise UsageError("--once and --probability exclude each other: choose one")
    chance = 1.0 if probability is None else units.share().option("--probability", probability)
    with Hosts(inventory) as hosts:
        point = (at, chance, probability is None)
        harms = [(target, harm("crash-worker", target, *point)) for target in chosen]
        console = _console(as_json, seed)
        return _begin(hosts, console, "crash-worker", harms, seconds, dry_run)


def kill_worker(
    inventory_path: Typed, selection: Selection, *, dry_run: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    with Hosts(inventory) as hosts:
        console = _console(as_json, seed)
        return _strike(hosts, console, "kill-worker", chosen, dry_run)


def kill_program(
    inventory_path: Typed, name: str, selection: Selection, *, dry_run: bool, as_json: bool
) -> int:
    """kill-redis, kill-driver."""
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.programs(inventory, name, selection)
    with Hosts(inventory) as hosts:
        return _strike(hosts, _console(as_json, seed), f"kill-{name}", chosen, dry_run)


def end(inventory_path: Typed, kind: str, selection: Selection, *, as_json: bool) -> int:
    """restore-worker, resume-worker: end the faults of the workers named, or all of that kind."""
    inventory, console = open_inventory(inventory_path), Console(as_json, healed=[])
    everything = Selection(selection.host, selection.worker, every=True)
    chosen, _ = targets.workers(inventory, everything)
    named = {(target.host, target.name) for target in chosen}
    with Hosts(inventory) as hosts:

        def end(host: Host) -> list[dict[str, Any]]:
            connector, folder = hosts.connector(host), inventory.folder(host)
            faults = [
                fault
                for fault in remote.in_force(connector, folder)
                if fault["fault"] == kind and (host, fault["target"]) in named
            ]
            ended = remote.end(connector, folder, [fault["id"] for fault in faults])
            return [fault for fault in faults if fault["id"] in ended]

        results = hosts.each(end, dict.fromkeys(target.host for target in chosen))
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


def _begin(
    hosts: Hosts,
    console: Console,
    kind: str,
    harms: list[tuple[Target, Harm]],
    typed_seconds: Typed,
    dry_run: bool,
    then: Then | None = None,
) -> int:
    """Begin a fault on each target; `then` measures its effect."""
    seconds = options.deadline(typed_seconds, REGISTRY[kind].seconds)
    orders = {
        target: remote.order(REGISTRY[kind], target, one, seconds, secrets.token_hex(3))
        for target, one in harms
    }
    console.answer |= {"faults": [], "dry_run": dry_run}
    if dry_run:
        for target, order in orders.items():
            console.add("faults", _entry(target, kind, order.id, seconds))
            console.print(f"{target.shown}: would be {order.text} for {seconds:g} s")
            console.print(f"  would run: {order.apply}\n  and at the end: {order.heal}")
        return console.finish()

    def work(connector: Connector, target: Target) -> None:
        remote.begin(connector, target.folder, orders[target])

    begun = []
    for target, failed in targets.on_each(hosts, orders, work):
        order = orders[target]
        if isinstance(failed, Exception):
            console.fail(target.shown, failed)
            continue
        begun.append(target)
        console.add("faults", _entry(target, kind, order.id, seconds))
        console.print(f"{target.shown}: {order.text} for {seconds:g} s")
    for target, seen in targets.on_each(hosts, begun, then) if then else []:
        if isinstance(seen, Exception):
            console.fail(target.shown, seen)
            continue
        console.add("measured", {"host": target.host.name, "target": target.name} | seen)
        console.print(f"{target.shown}: measured {cpu_limit.in_words(seen)}")
    if begun:
        ends = REGISTRY[kind].ends + (f" {begun[0].options}" if len(begun) == 1 else "")
        console.print(f"ends by itself; sooner with: {ends}")
    return console.finish()


def _strike(hosts: Hosts, console: Console, kind: str, chosen: list[Target], dry_run: bool) -> int:
    """A fault that is over at once: done to each target, nothing to end."""
    console.answer |= {"killed": [], "dry_run": dry_run}
    if dry_run:
        for target in chosen:
            console.print(f"{target.shown}: would be {harm(kind, target).text}")
        return console.finish()

    def work(connector: Connector, target: Target) -> int:
        return int(connector.run(harm(kind, target).apply).stdout.split()[0])

    for target, pid in targets.on_each(hosts, chosen, work):
        if isinstance(pid, Exception):
            console.fail(target.shown, pid)
            continue
        console.add("killed", {"host": target.host.name, "target": target.name, "pid": pid})
        console.print(
            f"{target.shown}: process {pid} {harm(kind, target).text}; it is started again"
        )
    return console.finish()


def _entry(target: Target, kind: str, fault: str, seconds: float) -> dict[str, Any]:
    return {
        "id": fault,
        "fault": kind,
        "host": target.host.name,
        "target": target.name,
        "seconds_left": seconds,
    }


def _console(as_json: bool, seed: int | None) -> Console:
    if seed is None:
        return Console(as_json)
    console = Console(as_json, seed=seed)
    console.print(f"chosen by chance; again the same with: --random --seed {seed}")
    return console
