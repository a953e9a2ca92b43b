"""Which facts a host of a cluster is asked for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from provision.host import facts
from provision.host.facts import Fact
from provision.inventory.model import Host, Inventory

PYTHON = "/usr/bin/python3"
PACKAGES = ("redis-server", "iptables", "python3")
#: How often a socket without a process is looked at again, 0.1 s apart.
ENDING_LOOKS = 100


def host_facts(inventory: Inventory, host: Host, managed: Iterable[str]) -> list[Fact]:
    """Facts about one host; `managed` are the paths its wanted state speaks of."""
    folder = inventory.folder(host)
    paths = " ".join(shlex.quote(path) for path in managed)
    names = " ".join([inventory.worker_user, inventory.redis_user])
    python, etc = f"{folder}/env/bin/python", f"{folder}/etc"
    port = inventory.redis.port
    return [
        Fact("python", f"{PYTHON} -V", facts.version),
        Fact("machine", "uname -m", str.strip),
        Fact("redis", "redis-server --version", facts.version),
        Fact("systemd", "[ -d /run/systemd/system ] && echo yes", lambda text: "yes" in text),
        Fact("packages", _packages(), facts.words),
        Fact("users", _users(names), facts.users),
        Fact("paths", _paths(paths), facts.paths),
        Fact(
            "environments",
            f"for e in {inventory.cluster_folder(host)}/env/*/.complete;"
            ' do [ -e "$e" ] && basename "$(dirname "$e")"; done',
            facts.words,
        ),
        Fact("unused", unused_script(inventory.cluster_folder(host)), facts.words),
        Fact("pending", f"ls {folder}/run/pending", facts.words),
        Fact("listeners", listeners_script(port), facts.listeners),
        Fact(
            "programs",
            f"{python} -m supervisor.supervisorctl -c {etc}/supervisord.conf status; echo $?",
            facts.programs,
        ),
        Fact(
            "library", f"{python} -m wc.cli.redis_admin check --config {etc}/wc.json", facts.library
        ),
        Fact(
            "stale_faults",
            f"{python} -I -m faults.host list --data {folder} --stale",
            facts.fault_names,
        ),
    ]


def _packages() -> str:
    return (
        "dpkg-query -W -f='${db:Status-Status} ${Package}\\n' "
        + " ".join(PACKAGES)
        + " | sed -n 's/^installed //p'"
    )


def _users(names: str) -> str:
    return (
        f"for u in {names}; do e=$(getent passwd $u) &&"
        ' echo "$u|$(id -gn $u)|$(echo "$e" | cut -d: -f5)"; done'
    )


def _paths(paths: str) -> str:
    return (
        f"find {paths} -maxdepth 0 -printf '%p|%y|%m|%u|%g|%l\\n';"
        f" for f in {paths}; do [ -f $f ] && echo $f; done | xargs -r sha256sum --"
    )


def unused_script(cluster_folder: str) -> str:
    """Complete environments that no host's link and no process' command line names."""
    return (
        f"for e in {cluster_folder}/env/*/.complete; do e=${{e%/.complete}}; [ -d $e ] || continue;"
        f" readlink {cluster_folder}/*/env | grep -qxF $e && continue;"
        " echo $e/ | grep -lsFf - /proc/[0-9]*/cmdline | grep -q . || basename $e; done"
    )


def listeners_script(port: int) -> str:
    """`address|process|folder` of every socket listening on the port in the host's network.

    A process that is just ending still has its socket, and no folder any more by which it could be
    told for ours: it is looked at again until it is gone, or has turned out to stay.
    """
    look = (
        f"ss -Hltnp 'sport = :{port}' | while read -r s r q local peer info; do"
        ' pid=${info#*pid=}; pid=${pid%%,*}; name=${info#*\\"}; name=${name%%\\"*};'
        ' echo "${local%:*}|$name (pid $pid)|$(readlink /proc/$pid/cwd)"; done'
    )
    return (
        f"look() {{ {look}; }}; n=0; found=$(look);"
        f" while echo \"$found\" | grep -q '|$' && [ $n -lt {ENDING_LOOKS} ];"
        ' do sleep 0.1; n=$((n + 1)); found=$(look); done; echo "$found"'
    )
