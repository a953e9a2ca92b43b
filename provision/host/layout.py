"""The names of what a host gets: paths, programs, users' comment, systemd unit."""

from __future__ import annotations

from provision.host.redis_users import USERS
from provision.inventory.model import Host, Inventory


def program_names(inventory: Inventory, host: Host) -> list[str]:
    """The programs that supervisord runs on a host, as supervisorctl spells them."""
    names = ["redis"] if host in inventory.replicas else []
    names += ["driver"] if host in inventory.origins else []
    names += ["commands"]
    names += ["repair"] if host in inventory.repairing else []
    return names + [f"workers:worker-{number}" for number in range(inventory.workers.per_host)]


#: Of what provision writes for the programs on hosts, and of the commands that it is asked there by
#: controllers; wc/core/versions.py has it for the hosts.
FORMAT = 1
#: The file by which a folder is known as made by provision: without it, destroy removes nothing.
MARK = ".faultline"


def managed_paths(inventory: Inventory, host: Host) -> list[str]:
    """Every path whose content, owner or mode is provisioned."""
    folder, cluster = inventory.folder(host), inventory.cluster_folder(host)
    etc = ("redis.conf", "users.acl", "wc.json", "programs.conf", "supervisord.conf", ROSTER)
    inside = ("etc", "etc/secrets", "log", "run", "redis", "jobs", "crash", "env")
    return [
        host.data,
        cluster,
        f"{cluster}/{MARK}",
        f"{cluster}/env",
        folder,
        f"{folder}/{MARK}",
        *(f"{folder}/{name}" for name in inside),
        *(f"{folder}/etc/{name}" for name in etc),
        *(secret_path(folder, user) for user in USERS),
        unit_path(inventory.cluster.name),
    ]


#: Below etc/: the hosts of the cluster, of earlier inventories too until they are destroyed.
ROSTER = "hosts.json"


def secret_path(folder: str, user: str) -> str:
    """The file with a Redis user's password below a host's data folder."""
    return f"{folder}/etc/secrets/{user}"


def user_comment(cluster: str) -> str:
    """The comment in the user database that marks a system user as the cluster's."""
    return f"faultline cluster {cluster}"


def unit_name(cluster: str) -> str:
    return f"faultline-{cluster}.service"


def unit_path(cluster: str) -> str:
    return f"/etc/systemd/system/{unit_name(cluster)}"
