"""Firewall rules (iptables) and queues (tc) of one fault on one host, as shell scripts.

The rules are in chains of our own, named after the cluster, and INPUT and OUTPUT jump to these
first, so that no other rule accepts a packet before. Each rule carries its fault's id and is
removed by its exact text; a chain is removed with its last rule. Nobody else's rules are touched.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One iptables rule. `hook` is INPUT or OUTPUT; `text` is what follows the chain's name."""

    table: str
    hook: str
    text: str


@dataclass(frozen=True)
class Queue:
    """Packets classified as `HANDLE:1` leave at most at `rate`, each `delay` later.

    `address` is the host's own: the queue goes on the device that has it. An empty rate or delay
    means none.
    """

    handle: str
    address: str
    rate: str
    delay: str
    jitter: str


UNLIMITED = "100gbit"


def chain(cluster: str, hook: str) -> str:
    """The name of our chain, at most 28 characters: a cluster's name has at most 12."""
    return f"FL-{cluster}-{hook.removesuffix('PUT').lower()}"


def put(cluster: str, fault: str, rules: list[Rule], queue: Queue | None) -> str:
    """The script that begins it: jumps where they are missing, then each table's rules at once."""
    lines = [
        "set -e",
        "command -v iptables-restore >/dev/null ||"
        " { echo 'iptables is missing: run fab provision' >&2; exit 1; }",
        *(_add_queue(queue) if queue else ()),
    ]
    for table, hook in _hooks(rules):
        name, run = chain(cluster, hook), f"iptables -w -t {table}"
        lines += [
            f"{run} -n -L {name} >/dev/null 2>&1 || {run} -N {name}",
            f"{run} -C {hook} -j {name} 2>/dev/null || {run} -I {hook} 1 -j {name}",
        ]
    for table in dict.fromkeys(rule.table for rule in rules):
        added = [f"-A {_full(cluster, fault, rule)}" for rule in rules if rule.table == table]
        lines += ["iptables-restore -w --noflush <<'END'", f"*{table}", *added, "COMMIT", "END"]
    return "\n".join(lines)


def remove(cluster: str, fault: str, rules: list[Rule], queue: Queue | None) -> str:
    """The script that ends it, also if only parts of it exist. Fails when a rule stays."""
    lines = []
    for table in dict.fromkeys(rule.table for rule in rules):
        lines.append(f"iptables -w -t {table} -S >/dev/null || exit 1")
    lines += [
        f"iptables -w -t {rule.table} -D {_full(cluster, fault, rule)} 2>/dev/null"
        for rule in rules
    ]
    for table, hook in _hooks(rules):
        name, run = chain(cluster, hook), f"iptables -w -t {table}"
        left = f"{run} -S {name} 2>/dev/null"
        lines += [
            f"if {left} | grep -qw -e {fault}; then"
            f" echo 'rules of {fault} stay in {name}' >&2; exit 1; fi",
            f"{left} | grep -q '^-A' ||"
            f" {{ {run} -D {hook} -j {name}; {run} -X {name}; }} 2>/dev/null",
        ]
    if queue:
        lines += _remove_queue(queue)
    return "\n".join([*lines, "exit 0"])


def _hooks(rules: list[Rule]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((rule.table, rule.hook) for rule in rules))


def _full(cluster: str, fault: str, rule: Rule) -> str:
    return f"{chain(cluster, rule.hook)} -m comment --comment {shlex.quote(fault)} {rule.text}"


def _device(queue: Queue) -> str:
    return (
        f"device=$(ip -o -4 address show to {queue.address} | awk 'NR == 1 {{ print $2 }}')"
        f' && [ -n "$device" ]'
    )


def _add_queue(queue: Queue) -> list[str]:
    handle, rate = queue.handle, queue.rate or UNLIMITED
    lines = [
        "command -v tc >/dev/null ||"
        " { echo 'tc is missing: apt-get install iproute2' >&2; exit 1; }",
        f"{_device(queue)} || {{ echo 'no device has address {queue.address}' >&2; exit 1; }}",
        # A queue of somebody else's, or of another fault, is left alone.
        "if tc qdisc show dev $device root | grep -qv ' 0: '; then"
        ' echo "$device has a queue already: only one --rate or --delay at a time per host:'
        ' fab heal" >&2; exit 1; fi',
        f"tc qdisc add dev $device root handle {handle}: htb"
        " || { echo 'this kernel has no htb (module sch_htb), which --rate and --delay need:"
        " --loss works without' >&2; exit 1; }",
        f"tc class add dev $device parent {handle}: classid {handle}:1 htb rate {rate} burst 16kb",
    ]
    if queue.delay:
        lines.append(
            f"tc qdisc add dev $device parent {handle}:1 netem delay {queue.delay} {queue.jitter}"
            " limit 10000 || { echo 'this kernel has no netem (module sch_netem), which --delay"
            " needs: --loss and --rate work without' >&2; exit 1; }"
        )
    return lines


def _remove_queue(queue: Queue) -> list[str]:
    """Remove the queue by its exact handle. The device may be gone, and the queue with it."""
    return [
        f"{_device(queue)} || exit 0",
        f"if tc qdisc show dev $device | grep -q ' htb {queue.handle}: root'; then"
        f" tc qdisc del dev $device root handle {queue.handle}: || exit 1; fi",
    ]
