"""`fab connect`: how a person reads the published counts with a Redis client of their own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from control.cluster import HostError
from provision.connect.factory import connect as connect_to
from provision.exit_codes import DONE, UsageError
from provision.host.layout import secret_path
from provision.inventory.model import Host, Inventory
from provision.inventory.units import Typed
from provision.named_inventory import open_inventory
from provision.output import print_json

USER = "reader"


def connect(inventory_path: Typed, *, host: Typed, as_json: bool) -> int:
    """Raises UsageError, HostError."""
    inventory = open_inventory(inventory_path)
    chosen = _replica(inventory, host)
    password_file = secret_path(inventory.folder(chosen), USER)
    with connect_to(inventory, chosen) as connector:
        found = connector.run(f"test -s {shlex.quote(password_file)}", check=False)
    if found.exit_code != 0:
        raise HostError(chosen.name, f"{password_file} is not there (run: fab provision)")
    place = {
        "host": chosen.name,
        "address": chosen.address,
        "port": inventory.redis.port,
        "user": USER,
        "password_file": password_file,
        "enter": _enter(inventory, chosen),
    }
    if as_json:
        print_json(place)
    else:
        print(explain(place, "sudo cat" if chosen.user != "root" else "cat"))
    return DONE


def _replica(inventory: Inventory, typed: Typed) -> Host:
    replicas = {host.name: host for host in inventory.replicas}
    name = typed or next(iter(replicas))
    if name not in replicas:
        raise UsageError(f"--host {name!r}: allowed are the replicas {', '.join(replicas)}")
    return replicas[name]


def _enter(inventory: Inventory, host: Host) -> str:
    """A command with which another is run where the host's Redis is reached, or a shell begins."""
    if inventory.cluster.connection == "netns":
        return f"nsenter --net=/run/netns/{inventory.namespace(host)}"
    address = host.ssh_address or host.address
    return f"ssh -t -p {host.port} {host.user}@{address}"


def explain(place: Mapping[str, object], cat: str) -> str:
    """The way by redis-cli and from Python. The password stays in its file: it is read by a shell's
    `$(...)` into the environment, and by Python."""
    return f"""\
Redis of {place["host"]}: {place["address"]}, port {place["port"]}, user {USER}, who may only read.
The password is in {place["password_file"]} there, for root.

    {place["enter"]} bash
    export REDISCLI_AUTH=$({cat} {place["password_file"]})
    redis-cli -h {place["address"]} -p {place["port"]} --user {USER} hkeys wc:jobs
    redis-cli -h {place["address"]} -p {place["port"]} --user {USER} \\
        zrevrange '{{JOB}}:counts' 0 9 withscores

From Python, in the same shell, with the package redis:

    import os, redis
    r = redis.Redis("{place["address"]}", {place["port"]}, username="{USER}",
                    password=os.environ["REDISCLI_AUTH"], decode_responses=True)
    print(r.zscore("{{JOB}}:counts", "the"), r.hgetall("{{JOB}}:extent"))"""
