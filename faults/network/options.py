"""Options of `fab partition`, as typed in, checked and turned into the damage to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faults import options
from faults.network import topology
from faults.network.partition import Damage
from faults.network.topology import Cuts
from provision.exit_codes import UsageError
from provision.inventory import units
from provision.inventory.model import Inventory
from provision.inventory.units import Typed

RATE = r"[1-9]\d{0,5}(kbit|mbit|gbit)"
LOSS = units.percent(0.01, 100)
#: With longer delays connections time out, as when links are cut.
DELAY = units.duration(0.0001, 30)


@dataclass(frozen=True)
class Shape:
    """The options that say which links, and how bad they get, as typed."""

    isolate: Typed = None
    groups: Typed = None
    one_way: Typed = None
    links: Typed = None
    ring: bool = False
    at_random: bool = False
    seed: Typed = None
    loss: Typed = None
    rate: Typed = None
    delay: Typed = None
    jitter: Typed = None


def damage(inventory: Inventory, shape: Shape) -> tuple[Damage, str, int | None]:
    """The damage, the options that say the same again, and the seed of a random choice.

    Without a shape the last host is isolated. Raises UsageError.
    """
    chosen = {
        "--isolate": shape.isolate,
        "--groups": shape.groups,
        "--one-way": shape.one_way,
        "--links": shape.links,
        "--ring": shape.ring,
        "--random": shape.at_random,
    }
    given = [option for option, value in chosen.items() if value]
    empty = [option for option, value in chosen.items() if value == ""]
    if empty:
        raise UsageError(f"{empty[0]} is empty: fab --help partition shows examples")
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other: begin one after the other")
    if shape.seed is not None and not shape.at_random:
        raise UsageError("--seed: allowed with --random only")
    hosts = [host.name for host in inventory.hosts]
    if len(hosts) < 2 and not shape.links:
        raise UsageError("a cluster of one host has no links to others: only --links h1:h1")
    option = given[0] if given else "--isolate"
    value = chosen[option] or hosts[-1]
    words = option if value is True else f"{option} '{value}'"
    cuts: Cuts = frozenset()
    links: Cuts = frozenset()
    seed = None
    if option == "--isolate":
        cuts = topology.isolate(hosts, _names(option, str(value), hosts))
    elif option == "--groups":
        cuts = _groups(str(value), hosts)
    elif option == "--one-way":
        cuts = _one_way(str(value), hosts)
    elif option == "--links":
        links = _links(inventory, str(value), hosts)
    elif option == "--ring":
        if len(hosts) < 3:
            raise UsageError("--ring needs at least 3 hosts: use --isolate")
        cuts = topology.ring(hosts)
    else:
        seed = options.seed(shape.seed)
        cuts = topology.at_random(hosts, seed)
        words = f"--random --seed {seed}"
    return _with_quality(cuts, links, shape), words, seed


def _with_quality(cuts: Cuts, links: Cuts, shape: Shape) -> Damage:
    loss = None if shape.loss is None else LOSS.option("--loss", shape.loss)
    if shape.jitter is not None and shape.delay is None:
        raise UsageError("--jitter: allowed with --delay only")
    if links and (shape.rate or shape.delay):
        raise UsageError("--links: allowed with --loss, not with --rate or --delay")
    return Damage(
        cuts,
        links,
        loss,
        _rate(shape.rate),
        _time("--delay", shape.delay),
        _time("--jitter", shape.jitter),
    )


def _rate(typed: Typed) -> str:
    """As tc takes it."""
    if typed is not None and not re.fullmatch(RATE, typed):
        raise UsageError(f"--rate {typed!r}: allowed are such as 1mbit, 500kbit, 1gbit")
    return typed or ""


def _time(option: str, typed: Typed) -> str:
    """As tc takes it: 50ms."""
    return "" if typed is None else units.shown_duration(DELAY.option(option, typed))


def _names(option: str, typed: str, hosts: list[str]) -> list[str]:
    names = [name.strip() for name in typed.split(",")]
    for name in names:
        if name not in hosts:
            raise UsageError(f"{option}: no host {name!r}: there are {', '.join(hosts)}")
    return names


def _pairs(option: str, typed: str, hosts: list[str]) -> Cuts:
    found = set()
    for pair in typed.split(","):
        if pair.count(":") != 1:
            raise UsageError(f"{option} {pair!r}: allowed are pairs such as h1:h2,h3:h1")
        first, second = pair.split(":")
        found.add((*_names(option, first, hosts), *_names(option, second, hosts)))
    return frozenset((a, b) for a, b in found)


def _one_way(typed: str, hosts: list[str]) -> Cuts:
    cuts = _pairs("--one-way", typed, hosts)
    for a, b in cuts:
        if a == b:
            raise UsageError(f"--one-way {a}:{b}: allowed are two different hosts")
    return cuts


def _links(inventory: Inventory, typed: str, hosts: list[str]) -> Cuts:
    links = _pairs("--links", typed, hosts)
    replicas = [host.name for host in inventory.replicas]
    for _, replica in links:
        if replica not in replicas:
            raise UsageError(f"--links: {replica} has no Redis: allowed are {', '.join(replicas)}")
    return links


def _groups(typed: str, hosts: list[str]) -> Cuts:
    members = [_names("--groups", group, hosts) for group in typed.split("|")]
    for host in hosts:
        if not any(host in group for group in members):
            raise UsageError(f"--groups: {host} is in none: name every host, as in 'h1|h2,h3'")
    cuts = topology.groups(hosts, members)
    if not cuts:
        raise UsageError("--groups: all hosts share a group, so nothing would be cut")
    return cuts
