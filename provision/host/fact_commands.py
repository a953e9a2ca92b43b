"""The facts that are gathered from each host, with the shell commands that print them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from provision.host import facts
from provision.host.facts import Fact
from provision.host.layout import MARK, ROSTER
from provision.inventory.model import Host, Inventory

PYTHON = "/usr/bin/python3"
PACKAGES = ("redis-server", "iptables", "python3")
#: Prints bytes: the machine's memory, and what its control group allows (cgroup v2, v1).
MEMORY = (
    "while read -r key kib _; do [ $key = MemTotal: ] && echo $((kib * 1024)); done </proc/meminfo;"
    " cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes"
)
# A folder without a mark is ours if it is root's and empty, or was made before there were marks.
OURS = f"""
ours() {{
    [ "$(stat -c %u "$1")" = 0 ] || return 1
    [ -e "$1/{MARK}" ] || [ -z "$(ls -A "$1")" ] \\
        || grep -qs 'by .fab provision. for host .* of cluster' \\
            "$1"/etc/supervisord.conf "$1"/*/etc/supervisord.conf \\
        || ls "$1"/env/*/.complete >/dev/null 2>&1
}}
"""
# What Redis says at its end when it cannot read what it saved.
DAMAGED = (
    "-e 'Wrong signature' -e 'RDB ERROR DETECTED' -e 'reading the append only file'"
    " -e 'AOF manifest file format'"
)
LISTENER_POLLS = 100  # 0.1 s apart, while the process of a listening socket is ending


def host_facts(inventory: Inventory, host: Host, managed: Iterable[str]) -> list[Fact]:
    """All facts about one host; `managed` are the paths that provisioning takes care of."""
    folder = inventory.folder(host)
    paths = " ".join(shlex.quote(path) for path in managed)
    python, etc = f"{folder}/env/bin/python", f"{folder}/etc"
    return [
        Fact("python", f"{PYTHON} -V", facts.version),
        Fact("machine", "uname -m", str.strip),
        Fact("memory", MEMORY, facts.least),
        Fact("redis", "redis-server --version", facts.version),
        Fact("systemd", "[ -d /run/systemd/system ] && echo yes", lambda text: "yes" in text),
        Fact(
            "packages",
            f"dpkg-query -W -f='${{db:Status-Status}} ${{Package}}\\n' {' '.join(PACKAGES)}"
            " | sed -n 's/^installed //p'",
            facts.words,
        ),
        Fact(
            "users",
            f"for u in {inventory.worker_user} {inventory.redis_user}; do e=$(getent passwd $u) &&"
            ' echo "$u|$(id -gn $u)|$(id -u $u)|$(echo "$e" | cut -d: -f5)"; done',
            facts.users,
        ),
        Fact(
            "paths",
            f"find {paths} -maxdepth 0 -printf '%p|%y|%m|%u|%g|%l\\n';"
            f" for f in {paths}; do [ -f $f ] && echo $f; done | xargs -r sha256sum --",
            facts.paths,
        ),
        Fact(
            "environments",
            f"for e in {inventory.cluster_folder(host)}/env/*/.complete;"
            ' do [ -e "$e" ] && basename "$(dirname "$e")"; done',
            facts.words,
        ),
        Fact("unused_environments", unused_script(inventory.cluster_folder(host)), facts.words),
        Fact(
            "foreign",
            foreign_script(inventory.cluster_folder(host), folder),
            facts.words,
        ),
        Fact("exposed", exposed_script(host.data), facts.words),
        Fact("roster", f"cat {inventory.cluster_folder(host)}/*/etc/{ROSTER}", facts.roster),
        Fact("config", f"cat {etc}/wc.json", facts.library),
        Fact("append_only", f"sed -n 's/^appendonly //p' {etc}/redis.conf", str.strip),
        Fact(
            "redis_users",
            f"sed -n 's/^user \\([a-z]*\\) on .*/\\1/p' {etc}/users.acl",
            facts.words,
        ),
        Fact("pending", f"ls {folder}/run/pending", facts.words),
        Fact("listeners", listeners_script(inventory.redis.port), facts.listeners),
        Fact(
            "programs",
            # Its programs run elsewhere if the host's namespace was removed, and made anew.
            f'[ "$(readlink /proc/$(cat {folder}/run/supervisord.pid)/ns/net)" ='
            ' "$(readlink /proc/self/ns/net)" ] &&'
            f" {python} -m supervisor.supervisorctl -c {etc}/supervisord.conf status; echo $?",
            facts.programs,
        ),
        Fact(
            "damaged",
            f"{is_damaged(folder)} && echo yes",
            lambda text: "yes" in text,
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


def foreign_script(*folders: str) -> str:
    """Prints those of the folders that are there, and that provision did not make."""
    return f"{OURS}\nfor f in {' '.join(folders)}; do [ ! -d $f ] || ours $f || echo $f; done"


def exposed_script(folder: str) -> str:
    """Prints the folder, and those above it, that others than root may change.

    In a folder with the sticky bit, as /tmp, they cannot take away what is root's.
    """
    return (
        f"p={folder}; while [ $p != / ]; do"
        " find -L $p -maxdepth 0 ! -uid 0 -print -o -perm /022 ! -perm -1000 -print;"
        " p=$(dirname $p); done"
    )


def is_damaged(folder: str) -> str:
    """A shell command: whether Redis last ended because it could not read its data."""
    return f"tail -n 20 {folder}/log/redis.log | grep -q {DAMAGED}"


def unused_script(cluster_folder: str) -> str:
    """Prints the complete environments that no host's link and no process' command line names."""
    return (
        f"for e in {cluster_folder}/env/*/.complete; do e=${{e%/.complete}}; [ -d $e ] || continue;"
        f" readlink {cluster_folder}/*/env | grep -qxF $e && continue;"
        " echo $e/ | grep -lsFf - /proc/[0-9]*/cmdline | grep -q . || basename $e; done"
    )


def listeners_script(port: int) -> str:
    """Prints `address|process|folder` for every socket listening on the port in the host's network.

    A process that is ending still has its socket, but no working directory, so nothing tells whose
    it is. The sockets are listed again until there is none like it, at most LISTENER_POLLS times.
    """
    command = (
        f"ss -Hltnp 'sport = :{port}' | while read -r s r q local peer info; do"
        ' pid=${info#*pid=}; pid=${pid%%,*}; name=${info#*\\"}; name=${name%%\\"*};'
        ' echo "${local%:*}|$name (pid $pid)|$(readlink /proc/$pid/cwd)"; done'
    )
    return (
        f"sockets() {{ {command}; }}; n=0; rows=$(sockets);"
        f" while echo \"$rows\" | grep -q '|$' && [ $n -lt {LISTENER_POLLS} ];"
        ' do sleep 0.1; n=$((n + 1)); rows=$(sockets); done; echo "$rows"'
    )
