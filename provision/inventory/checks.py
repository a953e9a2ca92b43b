"""Checks of an inventory that concern several keys, or files: duplicates, the subnet, key files.

They get the accepted values of the tables. A key that was refused is missing from them, and is
skipped, as it was reported already.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from provision.inventory.schema import DEFAULT_DATA

SOCKET_PATH_BYTES = 100  # the kernel's limit is 107; supervisord needs a few for a temporary name


def check_across(
    tables: dict[str, dict[str, Any]],
    hosts: list[dict[str, Any]],
    base: Path,
    problems: list[str],
) -> None:
    """Add what is wrong to `problems`. Relative paths start from the folder `base`."""
    cluster = tables["cluster"]
    name = cluster.get("name", "")
    if name.endswith("-redis"):
        problems.append(f'[cluster] name = "{name}": must not end in -redis: users are named so')
    user = tables["workers"].get("user", "")
    if user == "root" or user in (f"fl-{name}", f"fl-{name}-redis"):
        why = "workers run without privileges" if user == "root" else "the cluster makes that user"
        problems.append(
            f'[workers] user = "{user}": {why}: name another, or leave the key out and the cluster'
            " makes its own"
        )
    for key in ("name", "address"):
        _check_unique(hosts, key, problems)
    for host in hosts:
        where = f"[[hosts]] {host.get('name', '?')}:"
        if "address" in host and "subnet" in cluster:
            _check_address(where, host["address"], cluster, problems)
        if cluster.get("connection") == "netns" and host.get("name") == "switch":
            problems.append(f'{where} name = "switch": reserved for the cluster\'s bridge')
        if host.get("identity_file") and not resolve(host["identity_file"], base).is_file():
            problems.append(f"{where} identity_file = {host['identity_file']!r}: no such file")
        socket = (
            f"{host.get('data', DEFAULT_DATA)}/{name}/{host.get('name', '')}/run/supervisor.sock"
        )
        if len(socket) > SOCKET_PATH_BYTES:
            problems.append(
                f"{where} data: the socket path {socket} has {len(socket)} bytes: allowed are"
                f" {SOCKET_PATH_BYTES}: choose a shorter data folder"
            )
    if cluster.get("connection") == "ssh":
        _check_ssh(cluster, hosts, base, problems)
    replicas = 1 if tables["redis"].get("replication") == "single" else len(hosts)
    quorum = tables["workers"].get("write_quorum", 1)
    if hosts and quorum > replicas:
        problems.append(
            f"[workers] write_quorum = {quorum}: allowed is an integer from 1 to {replicas},"
            " the number of replicas"
        )


def _check_unique(hosts: list[dict[str, Any]], key: str, problems: list[str]) -> None:
    seen: dict[Any, int] = {}
    for number, host in enumerate(hosts, start=1):
        if key not in host:
            continue
        if host[key] in seen:
            problems.append(
                f"[[hosts]] {number}: {key} = {host[key]!r}: already used by host"
                f" {seen[host[key]]}: each host needs its own"
            )
        seen.setdefault(host[key], number)


def _check_address(where: str, address: str, cluster: dict[str, Any], problems: list[str]) -> None:
    subnet: ipaddress.IPv4Network = cluster["subnet"]
    ip = ipaddress.IPv4Address(address)
    reserved = {subnet.network_address: "network", subnet.broadcast_address: "broadcast"}
    if cluster.get("connection") == "netns":
        reserved[switch_address(subnet)] = "switch"
    if ip not in subnet:
        problems.append(f'{where} address = "{address}": outside [cluster] subnet {subnet}')
    elif ip in reserved:
        problems.append(f'{where} address = "{address}": is the {reserved[ip]} address of {subnet}')


def _check_ssh(
    cluster: dict[str, Any], hosts: list[dict[str, Any]], base: Path, problems: list[str]
) -> None:
    known_hosts = cluster.get("known_hosts")
    if known_hosts and not resolve(known_hosts, base).is_file():
        problems.append(
            f"[cluster] known_hosts = {known_hosts!r}: no such file: collect and check the hosts'"
            " keys first (ssh-keyscan ADDRESS >> FILE)"
        )
    seen: dict[tuple[Any, ...], Any] = {}
    for host in hosts:
        if "address" not in host:
            continue
        target = host.get("ssh_address") or host["address"]
        key = (target, host.get("port"), host.get("proxy_command"))
        if key in seen:
            problems.append(
                f"[[hosts]] {host.get('name', '?')}: is reached exactly like {seen[key]}:"
                " two hosts of a cluster cannot be one machine"
            )
        seen.setdefault(key, host.get("name", "?"))


def resolve(path: str, base: Path) -> Path:
    """A path in the inventory: ~ is the home folder, and relative paths start from `base`."""
    return base / Path(path).expanduser()


def switch_address(subnet: ipaddress.IPv4Network) -> ipaddress.IPv4Address:
    """The last usable address of the subnet."""
    return subnet.broadcast_address - 1
