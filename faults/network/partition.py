"""partition: packets between hosts are lost, all or some, or delayed.

Cuts drop packets where they arrive, so that the sender gets no error, as with a broken cable.
Delays and rates apply where packets leave. A link between workers and a Redis is cut on the host of
the workers, for their user alone. On hosts reached by SSH its port is exempt, both ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.network.rules import Queue, Rule, put, remove
from faults.network.topology import Cuts
from faults.registry import Harm, fault
from provision.connect.ssh_config import target
from provision.inventory.model import Host, Inventory

#: Queue handles are this plus 12 bits of the fault's tag: the kernel uses 0, 1 and 8000 (hex) on.
HANDLE = 0xE000


@dataclass(frozen=True)
class Damage:
    """The damage to the whole cluster. `cuts` are (sender, receiver) of all packets between
    hosts; `links` (host of the workers, host of the Redis), which may be the same host.

    `loss` is in percent, or None; `rate`, `delay` and `jitter` are as tc takes them, or empty. With
    none of these four everything is lost.
    """

    cuts: Cuts
    links: Cuts = frozenset()
    loss: float | None = None
    rate: str = ""
    delay: str = ""
    jitter: str = ""

    @property
    def dead(self) -> bool:
        return self.loss is None and not self.shaped

    @property
    def shaped(self) -> bool:
        return bool(self.rate or self.delay)


def concerned(inventory: Inventory, damage: Damage) -> list[Host]:
    """The hosts that get rules for it."""
    names = {host for host, _ in damage.links}
    if damage.shaped:
        names |= {sender for sender, _ in damage.cuts}
    if damage.dead or damage.loss is not None:
        names |= {receiver for _, receiver in damage.cuts}
    return _hosts(inventory, names)


@fault("partition", needs="iptables; --rate htb, --delay htb and netem", ends="fab heal")
def partition(inventory: Inventory, host: Host, damage: Damage, name: str, tag: str) -> Harm:
    """The commands of one of the concerned hosts. `tag`: 6 hexadecimal digits."""
    heard = _hosts(inventory, (a for a, b in damage.cuts if b == host.name))
    spoken = _hosts(inventory, (b for a, b in damage.cuts if a == host.name))
    replicas = _hosts(inventory, (b for a, b in damage.links if a == host.name))
    rules: list[Rule] = []
    texts: list[str] = []
    queue = None
    lost = _lost(damage.loss)
    if lost is not None or damage.dead:
        if heard:
            rules += _exempt(inventory, host, heard, "filter", "INPUT")
            drops = [f"-s {peer.address} {lost or ''} -j DROP" for peer in heard]
            rules += [Rule("filter", "INPUT", text) for text in drops]
            texts.append(_text(damage, f"packets from {_names(heard)}"))
        if replicas:
            user, port = inventory.worker_user, inventory.redis.port
            match = f"-p tcp --dport {port} -m owner --uid-owner {user} {lost or ''} -j DROP"
            rules += [Rule("filter", "OUTPUT", f"-d {peer.address} {match}") for peer in replicas]
            texts.append(_text(damage, f"packets of workers to Redis of {_names(replicas)}"))
    if damage.shaped and spoken:
        handle = f"{HANDLE | int(tag[:3], 16):x}"
        queue = Queue(handle, host.address, damage.rate, damage.delay, damage.jitter)
        rules += _exempt(inventory, host, spoken, "mangle", "OUTPUT")
        slow = [f"-d {peer.address} -j CLASSIFY --set-class {handle}:1" for peer in spoken]
        rules += [Rule("mangle", "OUTPUT", text) for text in slow]
        how = [f"at most {damage.rate}"] if damage.rate else []
        how += [" ".join(filter(None, (damage.delay, damage.jitter)))] if damage.delay else []
        texts.append(f"packets to {_names(spoken)}: {', '.join(how)}")
    cluster = inventory.cluster.name
    return Harm(
        text="; ".join(texts),
        apply=put(cluster, name, rules, queue),
        heal=remove(cluster, name, rules, queue),
    )


def _exempt(
    inventory: Inventory, host: Host, peers: list[Host], table: str, hook: str
) -> list[Rule]:
    """SSH passes, both ways: the controller may be one of the peers, or reach hosts through one."""
    if inventory.cluster.connection == "netns":
        return []
    own, other, side = ("--dport", "--sport", "-s")
    if hook == "OUTPUT":
        own, other, side = ("--sport", "--dport", "-d")
    return [
        Rule(table, hook, f"{side} {peer.address} -p tcp {option} {port} -j RETURN")
        for peer in peers
        for option, port in ((own, target(host).port), (other, target(peer).port))
    ]


def _lost(percent: float | None) -> str | None:
    """The match for a share of the packets; None without --loss."""
    if percent is None:
        return None
    return f"-m statistic --mode random --probability {percent / 100:.6f}" if percent < 100 else ""


def _text(damage: Damage, packets: str) -> str:
    return f"no {packets}" if damage.loss is None else f"{damage.loss:g} % of {packets} lost"


def _hosts(inventory: Inventory, names: Iterable[str]) -> list[Host]:
    chosen = set(names)
    return [host for host in inventory.hosts if host.name in chosen]


def _names(hosts: list[Host]) -> str:
    return ", ".join(host.name for host in hosts)
