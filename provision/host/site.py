"""The wanted state of a host: which operations, with which arguments, in which order.

A stage is a function from facts to actions. Facts are gathered again only after packages were
installed; after other changes they are marked stale, and name the restarts that are now pending.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import Lock

from provision import rosters
from provision.build.wheels import Bundle, Platform, bundle, version
from provision.host import operations, supervision, templates
from provision.host.actions import Action, Command, NoOp, Refused
from provision.host.fact_commands import PACKAGES, PYTHON, is_damaged
from provision.host.facts import Facts
from provision.host.layout import (
    FORMAT,
    ROSTER,
    program_names,
    secret_path,
    unit_name,
    unit_path,
    user_comment,
)
from provision.host.plan import Stage
from provision.host.redis_users import PROGRAMS, USERS, commands
from provision.host.secrets import Secrets
from provision.host.supervision import DRIVER, REDIS, RELOAD, REPAIR, UPDATE, WORKERS
from provision.inventory.model import Host, Inventory

REDIS_AT_LEAST = (7, 0, 0)  # the first with function libraries
PYTHON_AT_LEAST = (3, 11, 0)
REDIS_WAIT_SECONDS = 60
#: By default the replicas on a machine may use this share of its memory, in steps of bytes.
MEMORY_SHARE, MEMORY_STEP = 0.6, 64 << 20

_building = Lock()
_cached_bundle = lru_cache(maxsize=8)(bundle)


class Site:
    """The stages of one host. `orphans` are hosts that are no longer in the inventory."""

    def __init__(
        self, inventory: Inventory, host: Host, secrets: Secrets, orphans: Sequence[Host] = ()
    ) -> None:
        self.inventory, self.host, self.secrets = inventory, host, secrets
        self.orphans = orphans
        self.folder = inventory.folder(host)
        self.environments = f"{inventory.cluster_folder(host)}/env"
        self.is_replica = host in inventory.replicas
        self.is_origin = host in inventory.origins
        self.repairs = host in inventory.repairing
        self.stages = (
            Stage(self.software, gather_again=True),
            Stage(self.base),
            Stage(self.files),
            Stage(self.programs),
            Stage(self.library),
        )

    def software(self, facts: Facts) -> Iterator[Action]:
        check_format(facts)
        yield from operations.packages(facts, PACKAGES)

    def base(self, facts: Facts) -> Iterator[Action]:
        """Versions, users and folders."""
        check_versions(facts)
        if self.is_replica:
            port = self.inventory.redis.port
            yield from operations.port_is_free(facts, self.folder, self.host.address, port)
        yield from operations.base_folder(facts, self.host.data)
        comment = user_comment(self.inventory.cluster.name)
        yield from operations.cluster_user(facts, self.inventory.redis_user, comment)
        if self.inventory.workers.user:
            yield from operations.existing_user(facts, self.inventory.worker_user)
        else:
            yield from operations.cluster_user(facts, self.inventory.worker_user, comment)
        worker, redis = self.inventory.worker_user, self.inventory.redis_user
        cluster_folder = self.inventory.cluster_folder(self.host)
        yield from operations.cluster_folder(facts, self.host.data, cluster_folder)
        yield from operations.marked_folder(facts, self.folder)
        for path, owner, group, mode in (
            (self.environments, "root", "root", 0o755),
            (f"{self.folder}/etc", "root", "root", 0o755),
            (f"{self.folder}/etc/secrets", "root", "root", 0o711),
            (f"{self.folder}/log", "root", "root", 0o755),
            (f"{self.folder}/run", "root", "root", 0o755),
            (f"{self.folder}/redis", redis, redis, 0o750),
            (f"{self.folder}/jobs", worker, self._worker_group(facts), 0o755),
            (f"{self.folder}/crash", worker, self._worker_group(facts), 0o755),
        ):
            yield from operations.directory(facts, path, owner, group, mode)

    def files(self, facts: Facts) -> Iterator[Action]:
        """The Python environment, secrets and configuration."""
        wheels = self._bundle(facts)
        yield from operations.environment(
            facts, wheels.name, wheels.content, self.environments, f"{self.folder}/run"
        )
        environment = f"{self.environments}/{wheels.name}"
        yield from operations.link(facts, f"{self.folder}/env", environment)
        worker, group = self.inventory.worker_user, self._worker_group(facts)
        readers = (*[DRIVER] * self.is_origin, *[REPAIR] * self.repairs, WORKERS)
        for user in USERS:
            program = user in PROGRAMS
            yield from operations.file(
                facts,
                secret_path(self.folder, user),
                lambda user=user: self.secrets.value(user),  # type: ignore[misc]
                sha256=self.secrets.hashes[user],
                owner=worker if program else "root",
                group=group if program else "root",
                mode=0o600,
                secret=True,
                notify=readers if program else (),
            )
        values = self._values(facts, environment)
        etc = f"{self.folder}/etc"
        if self.is_replica:
            redis = self.inventory.redis_user
            yield from self._converted(facts)
            for name, secret in (("redis.conf", False), ("users.acl", True)):
                yield from operations.file(
                    facts,
                    f"{etc}/{name}",
                    templates.render(name, values),
                    group=redis,
                    mode=0o640,
                    secret=secret,
                    notify=(REDIS,),
                )
        path = f"{etc}/wc.json"
        yield from operations.file(
            facts, path, self._config(), group=group, mode=0o640, notify=readers
        )
        names = rosters.pack([*self.inventory.hosts, *self.orphans])
        yield from operations.file(facts, f"{etc}/{ROSTER}", names)
        for name, handler in (("programs.conf", UPDATE), ("supervisord.conf", RELOAD)):
            content = templates.render(name, values)
            yield from operations.file(facts, f"{etc}/{name}", content, notify=(handler,))
        if self._unit(facts):
            content = templates.render("faultline.service", values)
            path = unit_path(self.inventory.cluster.name)
            yield from operations.file(facts, path, content, notify=(RELOAD,))

    def programs(self, facts: Facts) -> Iterator[Action]:
        if facts.damaged and not facts.library.get("ping"):
            saved = "appendonlydir" if facts.append_only == "yes" else "dump.rdb"
            yield from operations.set_aside(f"{self.folder}/redis/{saved}")
        yield from supervision.supervised(
            facts,
            self.folder,
            [self.inventory.worker_user, self.inventory.redis_user],
            program_names(self.inventory, self.host),
            self._unit(facts),
            self._save_redis(),
        )
        yield from supervision.no_stale_faults(facts, self.folder)
        cluster_folder = self.inventory.cluster_folder(self.host)
        current = self._bundle(facts).name
        yield from operations.unused_environments(facts, cluster_folder, current)

    def library(self, facts: Facts) -> Iterator[Action]:
        """Redis answers, and has this version of the function library."""
        if not self.is_replica:
            yield NoOp("no Redis on this host")
            return
        library = facts.library
        restarted = facts.programs is None or facts.pending & {REDIS, RELOAD, UPDATE}
        if not restarted and library.get("ping") and library["library"] == library["needed"]:
            yield NoOp(f"Redis answers and has function library {library['library']}")
            return
        yield Command(
            "load the function library into Redis",
            f"{self.folder}/env/bin/python -m wc.cli.redis_admin load"
            f" --config {self.folder}/etc/wc.json --wait {REDIS_WAIT_SECONDS}"
            f" || {{ tail -n 5 {self.folder}/log/redis.log >&2; {is_damaged(self.folder)} &&"
            " echo 'what it saved is damaged: run it again, which sets that aside' >&2; exit 1; }",
        )

    def _converted(self, facts: Facts) -> Iterator[Action]:
        """Before redis.conf changes the form of Redis' data, the data are there in that form too:
        so they are found whenever Redis starts, and whether it runs now or not."""
        wanted = "yes" if self.inventory.redis.durability == "aof" else "no"
        if facts.append_only in ("", wanted) or facts.damaged:  # damaged ones are set aside
            yield NoOp("Redis' data need no other form")
            return
        yield Command(
            f"convert Redis' data for durability = {self.inventory.redis.durability}",
            f"{self._redis_admin('convert')} --redis-config {self.folder}/etc/redis.conf"
            f" --user {self.inventory.redis_user}",
        )

    def _redis_admin(self, action: str) -> str:
        return (
            f"{self.folder}/env/bin/python -m wc.cli.redis_admin {action}"
            f" --config {self.folder}/etc/wc.json --durability {self.inventory.redis.durability}"
            f" --wait {REDIS_WAIT_SECONDS}"
        )

    def _save_redis(self) -> str:
        """A command that saves Redis' data where Redis will read it after its restart."""
        if not self.is_replica:
            return ":"
        return f"{self._redis_admin('keep')} >/dev/null"

    def _unit(self, facts: Facts) -> str | None:
        """The systemd unit of a machine that is one host.

        None for a namespace: a unit would start outside of it, on the machine that hosts share.
        """
        one_host = facts.systemd and not self._shares_machine
        return unit_name(self.inventory.cluster.name) if one_host else None

    def _max_memory(self, facts: Facts) -> int:
        """Bytes that this Redis may use, 0 for any. By default all on a machine share
        MEMORY_SHARE of its memory."""
        chosen = self.inventory.redis.max_memory
        if isinstance(chosen, int):
            return chosen
        on_machine = len(self.inventory.replicas) if self._shares_machine else 1
        mine = int(facts.memory * MEMORY_SHARE / on_machine)
        # Rounded, as another kernel leaves a little more or less: Redis would be restarted for it.
        return mine if mine < MEMORY_STEP else mine - mine % MEMORY_STEP

    @property
    def _shares_machine(self) -> bool:
        return self.inventory.cluster.connection == "netns"

    def _worker_group(self, facts: Facts) -> str:
        user = facts.users.get(self.inventory.worker_user)
        return user.group if user else self.inventory.worker_user

    def _bundle(self, facts: Facts) -> Bundle:
        with _building:  # hosts of the same platform share one bundle
            return _cached_bundle(Platform(facts.python, facts.machine))

    def _values(self, facts: Facts, environment: str) -> dict[str, object]:
        """The values that templates may use."""
        return {
            "cluster": self.inventory.cluster.name,
            "host": self.host.name,
            "address": self.host.address,
            "folder": self.folder,
            "environment": environment,
            "port": self.inventory.redis.port,
            "durability": self.inventory.redis.durability,
            "checkpoint_seconds": self.inventory.redis.checkpoint_seconds,
            "max_memory": self._max_memory(facts),
            "per_host": self.inventory.workers.per_host,
            "is_replica": self.is_replica,
            "is_origin": self.is_origin,
            "repairs": self.repairs,
            "worker_user": self.inventory.worker_user,
            "redis_user": self.inventory.redis_user,
            "hashes": self.secrets.hashes,
            "commands": {user: commands(user, facts.redis) for user in USERS if user != "admin"},
        }

    def _config(self) -> bytes:
        """wc.json, the programs' configuration. It has the paths of secrets, never secrets."""
        inventory = self.inventory
        config = {
            "format": FORMAT,
            "version": version(),
            "cluster": inventory.cluster.name,
            "host": self.host.name,
            "data": self.folder,
            "jobs": f"{self.folder}/jobs",
            "log": f"{self.folder}/log",
            "replicas": [
                {"host": host.name, "address": host.address, "port": inventory.redis.port}
                for host in inventory.replicas
            ],
            "origins": [host.name for host in inventory.origins],
            "secrets": {user: secret_path(self.folder, user) for user in USERS if user != "reader"},
            "lease_seconds": inventory.workers.lease_seconds,
            "max_deliveries": inventory.workers.max_deliveries,
            "write_quorum": inventory.workers.write_quorum,
            "shared_files": inventory.job.shared_files,
            "adopt_after_seconds": inventory.job.adopt_after,
            "compact_after_seconds": inventory.redis.compact_after,
            "compact_bytes": inventory.redis.compact_bytes,
            "repair_interval_seconds": inventory.repair.interval_seconds,
            "repair_bytes_per_second": inventory.repair.bytes_per_second,
        }
        return (json.dumps(config, indent=2) + "\n").encode()


def check_format(facts: Facts) -> None:
    """Raises Refused when a later version provisioned the host, before anything is changed."""
    if facts.config.get("format", FORMAT) > FORMAT:
        raise Refused(
            f"faultline {facts.config.get('version')} provisioned this host, in format"
            f" {facts.config['format']}, and this is {version()}, which knows up to {FORMAT}: use"
            " that version, or destroy the host with it first"
        )


def check_versions(facts: Facts) -> None:
    """Raises Refused, with what to do, when Redis or Python is too old."""
    if facts.redis < REDIS_AT_LEAST:
        raise Refused(
            f"redis-server is {dotted(facts.redis)}, needed is 7.0 or later: Ubuntu 22.04 ships"
            " 6.0; use Debian 12, Ubuntu 24.04, or Redis' own package repository"
        )
    if facts.python < PYTHON_AT_LEAST:
        raise Refused(
            f"{PYTHON} is {dotted(facts.python)}, needed is 3.11 or later: use Debian 12,"
            " Ubuntu 24.04 or newer"
        )


def dotted(version: tuple[int, ...]) -> str:
    """A version as text; "missing" for ()."""
    return ".".join(map(str, version)) or "missing"
