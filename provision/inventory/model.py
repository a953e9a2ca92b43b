"""The inventory: `inventory.toml`, read whole and checked before any command runs.

All problems are collected, so that one run of a command shows everything to correct. The result is
immutable. It derives the names of all folders, users and namespaces from the cluster's name:
only what carries that name is ever removed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toml

from provision.exit_codes import UsageError
from provision.inventory.checks import check_across, resolve
from provision.inventory.fields import nearest, read_table
from provision.inventory.schema import DEFAULT_DATA, NETNS_HOST, SSH_HOST, SSH_ONLY, TABLES


class InventoryError(UsageError):
    """The inventory has mistakes. `problems` has one line for each."""

    kind = "inventory"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Cluster:
    name: str
    connection: str
    subnet: ipaddress.IPv4Network
    known_hosts: Path


@dataclass(frozen=True)
class Redis:
    """`checkpoint_seconds` and `compact_after` are in seconds, `compact_bytes` in bytes;
    `max_memory`, of one Redis, is in bytes or "auto"."""

    port: int
    replication: str
    durability: str
    checkpoint_seconds: int
    max_memory: int | str
    compact_after: int
    compact_bytes: int


@dataclass(frozen=True)
class Repair:
    """The background repair: how often it compares (0: there is none), and how much it copies."""

    interval_seconds: int
    bytes_per_second: int


@dataclass(frozen=True)
class Workers:
    per_host: int
    lease_seconds: int
    max_deliveries: int
    write_quorum: int
    user: str


@dataclass(frozen=True)
class Job:
    """Defaults of a job. `split_size` is "auto" or in bytes, `adopt_after` in seconds."""

    tokenizer: str
    encoding_errors: str
    split_size: int | str
    top: int
    shared_files: bool
    adopt_after: int


@dataclass(frozen=True)
class Host:
    """One host. `address` is in the cluster's network; sshd is reached at `ssh_address`.

    `user`, `port`, `identity_file` and `proxy_command` may be empty: then ssh_config decides.
    """

    name: str
    address: str
    user: str = ""
    port: int = 0
    identity_file: str = ""
    proxy_command: str = ""
    ssh_address: str = ""
    data: str = DEFAULT_DATA


@dataclass(frozen=True)
class Inventory:
    path: Path
    cluster: Cluster
    redis: Redis
    repair: Repair
    workers: Workers
    job: Job
    hosts: tuple[Host, ...]

    @property
    def replicas(self) -> tuple[Host, ...]:
        """The hosts that run Redis: all of them, or the first one in single mode."""
        return self.hosts[:1] if self.redis.replication == "single" else self.hosts

    @property
    def origins(self) -> tuple[Host, ...]:
        """The hosts that run a driver: those with a Redis to enqueue into."""
        return self.replicas

    @property
    def repairing(self) -> tuple[Host, ...]:
        """The hosts that repair their replica in the background: none if there is one replica."""
        on = self.repair.interval_seconds > 0 and len(self.replicas) > 1
        return self.replicas if on else ()

    def host(self, name: str) -> Host:
        """The host of that name. Raises KeyError, with the nearest name."""
        for host in self.hosts:
            if host.name == name:
                return host
        names = [host.name for host in self.hosts]
        raise KeyError(f'no host "{name}" in {self.path}: {nearest(name, names)}')

    def cluster_folder(self, host: Host) -> str:
        return f"{host.data}/{self.cluster.name}"

    def folder(self, host: Host) -> str:
        """The host's data folder, which has etc/, log/, run/, redis/, jobs/, crash/ and env."""
        return f"{self.cluster_folder(host)}/{host.name}"

    def namespace(self, host: Host) -> str:
        return f"fl-{self.cluster.name}-{host.name}"

    @property
    def switch_namespace(self) -> str:
        return f"fl-{self.cluster.name}-switch"

    @property
    def worker_user(self) -> str:
        return self.workers.user or f"fl-{self.cluster.name}"

    @property
    def redis_user(self) -> str:
        return f"fl-{self.cluster.name}-redis"


def load(path: str | Path) -> Inventory:
    """Read and check an inventory. Raises InventoryError with all its mistakes."""
    path = Path(path)
    try:
        document = toml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InventoryError([f"{path}: no such file: write one, or use --inventory"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError([f"{path}: cannot be read: {error}"]) from None
    except (toml.TomlDecodeError, IndexError, TypeError) as error:
        # toml 0.10 raises IndexError or TypeError for a few malformed lines.
        raise InventoryError([f"{path}: not valid TOML: {error}"]) from None
    problems: list[str] = []
    tables = _read_tables(document, problems)
    hosts = _read_hosts(document, tables["cluster"].get("connection"), problems)
    check_across(tables, hosts, path.parent, problems)
    if problems:
        raise InventoryError([f"{path}: {problem}" for problem in problems])
    return _build(path, tables, hosts)


def _read_tables(document: dict[str, Any], problems: list[str]) -> dict[str, dict[str, Any]]:
    names = [*TABLES, "hosts"]
    problems.extend(
        f"[{key}]: unknown table: {nearest(key, names)}" for key in document if key not in names
    )
    return {
        name: read_table(f"[{name}]", document.get(name, {}), table, problems)
        for name, table in TABLES.items()
    }


def _read_hosts(
    document: dict[str, Any], connection: str | None, problems: list[str]
) -> list[dict[str, Any]]:
    hosts = document.get("hosts", [])
    if not isinstance(hosts, list) or not hosts:
        problems.append("[[hosts]]: missing: allowed is one [[hosts]] table or more")
        return []
    values = []
    for number, table in enumerate(hosts, start=1):
        label = table.get("name", number) if isinstance(table, dict) else number
        where = f"[[hosts]] {label}:"
        if connection == "netns" and isinstance(table, dict):
            for key in sorted(SSH_ONLY.keys() & table.keys()):
                problems.append(f'{where} {key}: allowed only with connection = "ssh"')
            table = {key: value for key, value in table.items() if key not in SSH_ONLY}  # noqa: PLW2901
        fields = NETNS_HOST if connection == "netns" else SSH_HOST
        values.append(read_table(where, table, fields, problems))
    return values


def _build(path: Path, tables: dict[str, dict[str, Any]], hosts: list[dict[str, Any]]) -> Inventory:
    cluster, job, base = tables["cluster"], tables["job"], path.parent
    if job["shared_files"] is None:
        job["shared_files"] = cluster["connection"] == "netns"
    for host in hosts:
        host["ssh_address"] = host.get("ssh_address") or host["address"]
        if host.get("identity_file"):
            host["identity_file"] = str(resolve(host["identity_file"], base))
    return Inventory(
        path=path,
        cluster=Cluster(**cluster | {"known_hosts": resolve(cluster["known_hosts"], base)}),
        redis=Redis(**tables["redis"]),
        repair=Repair(**tables["repair"]),
        workers=Workers(**tables["workers"]),
        job=Job(**job),
        hosts=tuple(Host(**host) for host in hosts),
    )
