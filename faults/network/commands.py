"""`fab partition` and `fab heal`: arguments as typed in, an exit code out.

1: a host refused, or the effect was not seen. A partition begins on all hosts it concerns, each
with a deadline of its own, or on none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from faults import options, remote
from faults.console import Console, Refused
from faults.host.engine import Order
from faults.network import orders as partition_orders
from faults.network import reachability
from faults.network.options import Shape, damage
from faults.network.orders import KIND
from faults.network.partition import Damage
from faults.network.topology import connected, pairs
from faults.registry import REGISTRY
from provision.connect.hosts import Hosts
from provision.exit_codes import UsageError
from provision.inventory.model import Host
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory

#: A connection that is not made within so many seconds is cut.
SILENCE_SECONDS = 0.6


def partition(
    inventory_path: Typed, shape: Shape, *, seconds: Typed, dry_run: bool, as_json: bool
) -> int:
    inventory = open_inventory(inventory_path)
    harmed, words, seed = damage(inventory, shape)
    lasts = options.deadline(seconds, REGISTRY[KIND].seconds)
    orders = partition_orders.orders(inventory, harmed, lasts)
    name = next(iter(orders.values())).id
    console = Console(as_json, id=name, seconds=lasts, dry_run=dry_run)
    console.answer |= {"cuts": sorted(harmed.cuts), "links": sorted(harmed.links), "faults": []}
    if seed is not None:
        console.answer["seed"] = seed
    console.print(f"{words}: {'would be ' if dry_run else ''}{name}, for {lasts:g} s")
    if dry_run:
        for host, order in orders.items():
            console.print(f"{host}: would be: {order.text}\n  would run:\n{order.apply}")
            console.print(f"  and at the end:\n{order.heal}")
        return console.finish()
    begun = time.monotonic()
    with Hosts(inventory) as hosts:
        if not _begin(hosts, orders, console):
            return console.finish()
        if harmed.dead:
            _measure(hosts, harmed, console, begun + lasts)
    console.print(f"ends by itself; sooner with: fab heal, or fab heal --only {name}")
    return console.finish()


def _begin(hosts: Hosts, orders: dict[str, Order], console: Console) -> bool:
    """Begin on all hosts at once; if one refuses, end it on all."""
    failed = partition_orders.begin(hosts, orders)
    for name, order in orders.items():
        if name in failed:
            console.fail(name, failed[name])
            continue
        entry = {"id": order.id, "fault": KIND, "host": name, "target": order.target}
        console.add("faults", entry | {"text": order.text, "seconds_left": order.seconds})
        console.print(f"{name}: {order.text}")
    if failed:
        console.answer["faults"] = []
        console.print("not begun on every host, so ended on all")
        _end(hosts, map(hosts.inventory.host, orders), next(iter(orders.values())).id, console)
    return not failed


def _measure(hosts: Hosts, harmed: Damage, console: Console, until: float) -> None:
    """Measure who reaches whom; a connection that should be impossible is a failure.

    After `until`, on the monotonic clock, nothing is concluded: the deadline may have come.
    """
    rows, failed = reachability.matrix(hosts, SILENCE_SECONDS)
    for name, error in failed.items():
        console.fail(name, error)
    console.answer["reachability"] = reachability.as_bools(rows)
    console.print("measured, which host's workers reach which host:")
    for line in reachability.matrix_lines(rows):
        console.print(f"  {line}")
    if time.monotonic() >= until:
        console.print("measured too late to tell: the deadline had come")
        return
    names = [host.name for host in hosts.inventory.hosts]
    dead = {pair for pair in pairs(names) if not connected(harmed.cuts, *pair)} | harmed.links
    for a, b in sorted(dead):
        if rows.get(a, {}).get(b, "not measured") == "":
            console.fail(a, Refused(f"still reaches {b}: the cut has no effect"))


def heal(inventory_path: Typed, *, only: Typed, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    if only is not None and not only.startswith(f"{KIND}-"):
        raise UsageError(f"--only {only!r}: an id as `fab status` shows it: {KIND}-1a2b3c")
    console = Console(as_json, healed=[])
    with Hosts(inventory) as hosts:
        left = _end(hosts, inventory.hosts, only, console)
        if not console.answer["healed"]:
            console.print(f"{only or 'a partition'} is in force nowhere: nothing to end")
        # Partitions that stay in force may cut links: then do not wait for all to be connected.
        measure = reachability.matrix if left else reachability.proof
        rows, failed = measure(hosts)
    for name, error in failed.items():
        console.fail(name, error)
    console.answer["reachability"] = reachability.as_bools(rows)
    for line in reachability.matrix_lines(rows):
        console.print(line)
    missing = reachability.missing(rows)
    for text in missing:
        where, _, reason = text.partition(" ")
        console.fail(where, Refused(reason))
    console.answer["reachable"] = not (missing or failed)
    if left:
        console.print(f"still in force: {', '.join(left)}")
    if console.answer["reachable"]:
        console.print("every host reaches every other")
    return console.finish()


def _end(hosts: Hosts, where: Iterable[Host], only: Typed, console: Console) -> list[str]:
    """End partitions on hosts, one or all; the ids of those that stay."""

    def work(host: Host) -> tuple[list[dict[str, Any]], list[str]]:
        connector, folder = hosts.connector(host), hosts.inventory.folder(host)
        found = [one for one in remote.in_force(connector, folder) if one["fault"] == KIND]
        chosen = [one for one in found if only in (None, one["id"])]
        ended = remote.end(connector, folder, [one["id"] for one in chosen])
        healed = [one for one in chosen if one["id"] in ended]
        return healed, [one["id"] for one in found if one not in chosen]

    left: list[str] = []
    for name, result in hosts.each(work, where).items():
        if isinstance(result, Exception):
            console.fail(name, result)
            continue
        left += result[1]
        for one in result[0]:
            console.add("healed", {"id": one["id"], "host": name})
            console.print(f"{name}: ended {one['id']}: {one['text']}")
    return sorted(set(left))
