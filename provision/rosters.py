"""The roster: each host's note of all hosts of its cluster, by which those are found that an
inventory no longer has, until they are destroyed.

It says where a host is, and not by which command or key it is reached: what a host says must not
choose what runs here. An orphan is reached as the first host of the inventory is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provision.inventory.fields import read_table
from provision.inventory.model import Host, Inventory
from provision.inventory.schema import NETNS_HOST, SSH_HOST

PLACE = ("name", "address", "user", "port", "ssh_address", "data")


def pack(hosts: Iterable[Host]) -> bytes:
    """The roster's file: one line of JSON."""
    entries = [{key: getattr(host, key) for key in PLACE} for host in hosts]
    return (json.dumps({"hosts": entries}) + "\n").encode()


def orphans(inventory: Inventory, roster: Mapping[str, dict[str, Any]]) -> list[Host]:
    """The hosts of a roster that the inventory does not have; an entry that is damaged is none."""
    names = {host.name for host in inventory.hosts}
    fields = NETNS_HOST if inventory.cluster.connection == "netns" else SSH_HOST
    hosts = []
    for name, entry in sorted(roster.items()):
        problems: list[str] = []
        place = {key: entry[key] for key in PLACE if key in entry and key in fields}
        values = read_table("", place, fields, problems)
        if name not in names and not problems:
            place = {"ssh_address": values["address"]} | {key: values[key] for key in place}
            hosts.append(replace(inventory.hosts[0], **place))
    return hosts
