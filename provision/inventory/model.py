"""The cluster as written down: `inventory.toml`, read whole and checked before anything runs.

All problems are collected, so one run of a command shows all there is to correct. What comes out
is immutable and derives every name the cluster uses (folders, users, namespaces) in one place:
whatever carries the cluster's name is ours, and only that is ever removed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import toml

from provision.exit_codes import UsageError
from provision.inventory import fields
from provision.inventory.checks import DEFAULT_DATA, check_across, resolve
from provision.inventory.fields import nearest, read_table

NAME = r"[a-z][a-z0-9-]{0,11}"
NAME_ALLOWED = "1 to 12 of a-z, 0-9 and -, starting with a letter"

TABLES: dict[str, dict[str, fields.Field]] = {
    "cluster": {
        "name": fields.text(NAME, NAME_ALLOWED),
        "connection": fields.choice("netns", "ssh"),
        "subnet": fields.network("198.18.0.0/24"),
        "known_hosts": fields.text(r".+", "a path", default="~/.ssh/known_hosts"),
    },
    "redis": {
        "port": fields.number(1, 65535, default=6379),
        "replication": fields.choice(
            "crdt",
            "single",
            default="crdt",
            also='; "wait" and "raft" are not supported by this version',
        ),
        "durability": fields.choice("none", "checkpoint", "aof", default="checkpoint"),
        "checkpoint_seconds": fields.number(1, 86400, default=10),
        "compact_after": fields.number(0, 86400, default=30),
        "compact_bytes": fields.number(1 << 20, 1 << 40, default=256 << 20),
    },
    "repair": {
        "interval_seconds": fields.number(0, 86400, default=5),
        "bytes_per_second": fields.size(8 << 20),
    },
    "workers": {
        "per_host": fields.number(1, 256, default=2),
        "lease_seconds": fields.number(1, 3600, default=5),
        "max_deliveries": fields.number(1, 1000, default=10),
        "write_quorum": fields.number(1, 64, default=1),
        "user": fields.text(r"([a-z_][a-z0-9_-]{0,31})?", "the name of a system user", default=""),
    },
    "job": {
        "tokenizer": fields.text(r"[a-z][a-z0-9_-]*", "the name of a tokenizer", "whitespace"),
        "encoding_errors": fields.choice("strict", "replace", default="strict"),
        "split_size": fields.size("auto"),
        "top": fields.number(0, 1_000_000, default=10),
        "shared_files": fields.boolean(default=None),
        "adopt_after": fields.number(1, 86400, default=10),
    },
}
HOST = {"name": fields.text(NAME, NAME_ALLOWED), "address": fields.address()}
# A namespace's name is fl-<cluster>-<host>: without a hyphen in the host it can be read back.
NETNS_HOST = HOST | {"name": fields.text(r"[a-z][a-z0-9]{0,11}", "1 to 12 of a-z and 0-9")}
SSH_ONLY = {
    "user": fields.text(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", "a login name", default="root"),
    "port": fields.number(1, 65535, default=22),
    "identity_file": fields.text(r".+", "a path", default=""),
    "proxy_command": fields.text(r".+", "a command line", default=""),
    "ssh_address": fields.text(r"[A-Za-z0-9.:_-]+", "an address or host name", default=""),
    "data": fields.absolute_path(default=DEFAULT_DATA),
}
SSH_HOST = HOST | SSH_ONLY


class InventoryError(UsageError):
    """The inventory cannot be used. `problems` has one line for each thing to correct."""

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
    port: int
    replication: str
    durability: str
    checkpoint_seconds: int
    compact_after: int
    compact_bytes: int


@dataclass(frozen=True)
class Repair:
    """The background repair: how often it looks (0: there is none), and how much it may move."""

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
    """Defaults of a job. `split_size` is "auto" or bytes, `adopt_after` seconds."""

    tokenizer: str
    encoding_errors: str
    split_size: int | str
    top: int
    shared_files: bool
    adopt_after: int


@dataclass(frozen=True)
class Host:
    """One host; `address` is the cluster's own, `ssh_address` where sshd is reached."""

    name: str
    address: str
    user: str = "root"
    port: int = 22
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
        """The hosts that repair their replica in the background: there must be two to differ."""
        on = self.repair.interval_seconds > 0 and len(self.replicas) > 1
        return self.replicas if on else ()

    def host(self, name: str) -> Host:
        """The host of that name; KeyError with the nearest names otherwise."""
        for host in self.hosts:
            if host.name == name:
                return host
        names = [host.name for host in self.hosts]
        raise KeyError(f'no host "{name}" in {self.path}: {nearest(name, names)}')

    def cluster_folder(self, host: Host) -> str:
        return f"{host.data}/{self.cluster.name}"

    def folder(self, host: Host) -> str:
        """The host's data folder: etc/ log/ run/ redis/ jobs/ env are under it."""
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
    """Read and check an inventory. InventoryError lists everything that is wrong with it."""
    path = Path(path)
    try:
        document = toml.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InventoryError([f"{path}: no such file: write one, or use --inventory"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError([f"{path}: cannot be read: {error}"]) from None
    except (toml.TomlDecodeError, IndexError, TypeError) as error:
        # toml 0.10 lets a few malformed lines escape as IndexError or TypeError.
        raise InventoryError([f"{path}: not valid TOML: {error}"]) from None
    problems: list[str] = []
    tables = _read_tables(document, problems)
    hosts = _read_hosts(document, tables["cluster"].get("connection"), problems)
    check_across(tables, hosts, path.parent, problems)
    if problems:
        raise InventoryError([f"{path}: {problem}" for problem in problems])
    return _build(path, tables, hosts)


def _read_tables(document: dict[str, Any], problems: list[str]) -> dict[str, dict[str, Any]]:
    known = [*TABLES, "hosts"]
    problems.extend(
        f"[{key}]: unknown table: {nearest(key, known)}" for key in document if key not in known
    )
    return {
        name: read_table(f"[{name}]", document.get(name, {}), table, problems)
        for name, table in TABLES.items()
    }


def _read_hosts(
    document: dict[str, Any], connection: str | None, problems: list[str]
) -> list[dict[str, Any]]:
    found = document.get("hosts", [])
    if not isinstance(found, list) or not found:
        problems.append("[[hosts]]: missing: allowed is one [[hosts]] table or more")
        return []
    hosts = []
    for number, table in enumerate(found, start=1):
        label = table.get("name", number) if isinstance(table, dict) else number
        where = f"[[hosts]] {label}:"
        if connection == "netns" and isinstance(table, dict):
            for key in sorted(SSH_ONLY.keys() & table.keys()):
                problems.append(f'{where} {key}: allowed only with connection = "ssh"')
            table = {key: value for key, value in table.items() if key not in SSH_ONLY}  # noqa: PLW2901
        wanted = NETNS_HOST if connection == "netns" else SSH_HOST
        hosts.append(read_table(where, table, wanted, problems))
    return hosts


def _build(path: Path, tables: dict[str, dict[str, Any]], hosts: list[dict[str, Any]]) -> Inventory:
    cluster, job = tables["cluster"], tables["job"]
    base = path.parent
    if job["shared_files"] is None:
        job["shared_files"] = cluster["connection"] == "netns"
    for host in hosts:
        host["ssh_address"] = host.get("ssh_address") or host["address"]
        if host.get("identity_file"):
            host["identity_file"] = str(resolve(host["identity_file"], base))
    return Inventory(
        path=path,
        cluster=Cluster(
            name=cluster["name"],
            connection=cluster["connection"],
            subnet=cluster["subnet"],
            known_hosts=resolve(cluster["known_hosts"], base),
        ),
        redis=Redis(**tables["redis"]),
        repair=Repair(**tables["repair"]),
        workers=Workers(**tables["workers"]),
        job=Job(**job),
        hosts=tuple(Host(**host) for host in hosts),
    )
