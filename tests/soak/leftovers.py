"""What a cluster has left on this machine after it was destroyed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

ROOTS = ("/sys/fs/cgroup", "/var/lib", "/var/log", "/run", "/etc", "/tmp", "/dev/shm", "/root")


def leftovers(cluster: str, folder: Path) -> list[str]:
    """What bears the cluster's name: namespaces, links, rules, users, processes, cgroups and
    files. ``folder`` is the soak's own, which does not count."""
    network = _lines("ip", "netns", "list") + _lines("ip", "-o", "link") + _lines("iptables-save")
    users = _lines("cat", "/etc/passwd", "/etc/group")
    files = _lines(
        "find", *ROOTS, "-maxdepth", "5", "-name", f"*{cluster}*", "-not", "-path", f"{folder}*"
    )
    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    processes = [
        f"process {process.pid}: {' '.join(process.info['cmdline'] or ())}"
        for process in psutil.process_iter(["cmdline"])
        if process.pid not in spared
    ]
    return [line for line in [*network, *users, *files, *processes] if cluster in line]


def _lines(*command: str) -> list[str]:
    # find fails where a file vanishes meanwhile.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()
