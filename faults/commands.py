"""The commands that break workers and Redis: arguments as typed in, an exit code out
(provision/exit_codes.py). 1: a target refused, or the effect was not seen.

They print which target was chosen by default, and how to end a fault that lasts.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from faults import crash_worker as crash
from faults import options, remote, signals, targets
from faults import slow_worker as cpu_limit
from faults.console import Console, Refused
from faults.end_early import end_workers, how_to_end
from faults.registry import REGISTRY, Harm, harm
from faults.targets import Selection, Target
from provision.commands import open_inventory
from provision.connect.contract import Connector
from provision.connect.hosts import Hosts, answers
from provision.exit_codes import UsageError
from provision.inventory import units

#: These modules declare their faults when they are imported.
KINDS = (cpu_limit, crash, signals)
#: The kernel grants CPU time in slices, so a little more than the limit is measured now and then:
#: a factor, and percentage points.
TOLERANCE, TOLERANCE_POINTS = 1.15, 3.0

Then = Callable[[Connector, Target], dict[str, Any]]


def slow_worker(
    inventory_path: str | None,
    selection: Selection,
    *,
    cpu: str | None,
    seconds: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    if cpu is None:
        raise UsageError("--cpu is missing: say how much is left: fab slow-worker --cpu 50")
    with Hosts(inventory) as hosts:
        cores = answers(
            hosts.each(
                lambda host: int(hosts.connector(host).run("nproc").stdout),
                dict.fromkeys(target.host for target in chosen),
            )
        )
        percent = units.percent(1, 100 * min(cores.values())).option("--cpu", cpu)
        return _begin(
            hosts,
            _console(as_json, seed),
            "slow-worker",
            [(target, harm("slow-worker", target, percent)) for target in chosen],
            seconds,
            dry_run,
            _measure,
        )


def pause_worker(
    inventory_path: str | None,
    selection: Selection,
    *,
    seconds: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    with Hosts(inventory) as hosts:
        harms = [(target, harm("pause-worker", target)) for target in chosen]
        console = _console(as_json, seed)
        return _begin(hosts, console, "pause-worker", harms, seconds, dry_run)


def crash_worker(
    inventory_path: str | None,
    selection: Selection,
    *,
    at: str | None,
    once: bool,
    probability: str | None,
    off: bool,
    seconds: str | None,
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
        harms = [
            (target, harm("crash-worker", target, at, chance, probability is None))
            for target in chosen
        ]
        console = _console(as_json, seed)
        return _begin(hosts, console, "crash-worker", harms, seconds, dry_run)


def kill_worker(
    inventory_path: str | None, selection: Selection, *, dry_run: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    chosen, seed = targets.workers(inventory, selection)
    with Hosts(inventory) as hosts:
        console = _console(as_json, seed)
        return _strike(hosts, console, "kill-worker", chosen, dry_run)


def kill_redis(
    inventory_path: str | None, *, host: str | None, dry_run: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    with Hosts(inventory) as hosts:
        chosen = [targets.redis(inventory, host)]
        return _strike(hosts, Console(as_json), "kill-redis", chosen, dry_run)


def end(inventory_path: str | None, kind: str, selection: Selection, *, as_json: bool) -> int:
    """restore-worker, resume-worker: end the faults of the workers named, or all of that kind."""
    return end_workers(open_inventory(inventory_path), kind, selection, Console(as_json))


def _begin(
    hosts: Hosts,
    console: Console,
    kind: str,
    harms: list[tuple[Target, Harm]],
    typed_seconds: str | None,
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
        console.print(f"{target.shown}: measured {_words(seen)}")
    if begun:
        ends = how_to_end(kind, begun[0]) if len(begun) == 1 else REGISTRY[kind].ends
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


def _measure(connector: Connector, target: Target) -> dict[str, Any]:
    """The CPU time that the worker's group gets, measured with a load inside it. Raises Refused."""
    pid = connector.run(target.pid, check=False).stdout.strip()
    probed = json.loads(connector.run(target.tool("cgroups", "probe", target.group)).stdout)
    seen = {
        "percent": round(probed["share"], 1),
        "worker_percent": round(probed["others"], 1),
        "seconds": round(probed["seconds"], 2),
        "limit": probed["limit"],
        "throttled": probed["throttled"],
    }
    limit = probed["limit"]
    if limit is None or probed["share"] > limit * TOLERANCE + TOLERANCE_POINTS:
        raise Refused(f"the limit {limit} has no effect: {_words(seen)} was measured")
    outside = pid.isdecimal() and int(pid) > 0 and int(pid) not in probed["pids"]
    # If it is another process now, the worker was restarted in between.
    if outside and connector.run(target.pid, check=False).stdout.strip() == pid:
        raise Refused(
            "runs outside its control group, so nothing slows it down:"
            f" fab logs --host {target.host.name} --process {target.name} says why"
        )
    return seen


def _words(seen: dict[str, Any]) -> str:
    throttled = (
        f"throttled {seen['throttled']} times"
        if seen["throttled"]
        else "never throttled: the machine is too busy to give it more"
    )
    return (
        f"{seen['percent']:g} % of one core in {seen['seconds']:g} s, with a load beside the"
        f" worker, whose own share was {seen['worker_percent']:g} %; {throttled}"
    )


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
