"""What a host offers, found by trying: shell commands for root, which leave nothing behind.

What partitions need is tried in a network namespace without a name, which goes with its command.
"""

from __future__ import annotations

from dataclasses import dataclass

MODULE = "load the kernel module, or use a machine or VM that allows it"
OTHERS = "; the others work without"


@dataclass(frozen=True)
class Trial:
    """`command` fails where the host lacks something; `needed` for more than a few faults."""

    subject: str
    command: str
    needed: bool
    fix: str


def _tool(name: str, package: str) -> Trial:
    return Trial(name, f"command -v {name} || {{ echo not there >&2; exit 1; }}", True,
                 f"apt-get install {package}")  # fmt: skip


TOOLS = (
    _tool("ip", "iproute2"),
    _tool("ss", "iproute2"),
    _tool("nsenter", "util-linux"),
    _tool("flock", "util-linux"),
    _tool("iptables", "iptables"),
)
PARTITIONS = (
    Trial(
        "iptables in a namespace",
        "unshare -n iptables -w -A INPUT -s 198.18.0.1 -j DROP",
        True,
        MODULE,
    ),
    Trial(
        "packets by chance",
        "unshare -n iptables -w -A INPUT -m statistic --mode random --probability 0.5 -j DROP",
        False,
        f"partition --loss will be refused{OTHERS}",
    ),
    Trial(
        "packets of a user",
        "unshare -n iptables -w -A OUTPUT -m owner --uid-owner 0 -j DROP",
        False,
        f"partition --links will be refused{OTHERS}",
    ),
    Trial(
        "htb",
        "unshare -n sh -c 'tc qdisc add dev lo root handle 1: htb"
        " && tc class add dev lo parent 1: classid 1:1 htb rate 1mbit burst 16kb'",
        False,
        f"partition --rate, --delay and --jitter will be refused{OTHERS}",
    ),
    Trial(
        "netem",
        "unshare -n tc qdisc add dev lo root netem delay 1ms",
        False,
        f"partition --delay and --jitter will be refused{OTHERS}",
    ),
)
CGROUPS = Trial(
    "cgroups",
    "grep -qw cpu /sys/fs/cgroup/cgroup.controllers || [ -d /sys/fs/cgroup/cpu ]"
    " || { echo no control groups with the cpu controller >&2; exit 1; }",
    False,
    "slowing workers down needs it",
)


def namespaces(tag: str) -> tuple[list[Trial], str]:
    """What hosts as namespaces need, in two with that tag in their names, and the command that
    removes these."""
    here, there = f"fl-doctor-{tag}a", f"fl-doctor-{tag}b"
    trials = [
        Trial("network namespaces", f"ip netns add {here} && ip netns add {there}", True, MODULE),
        Trial("veth", f"ip -n {here} link add v type veth peer name w netns {there}", True, MODULE),
        Trial("bridge", f"ip -n {here} link add br0 type bridge", True, MODULE),
    ]
    return trials, f"ip netns del {here}; ip netns del {there}"
