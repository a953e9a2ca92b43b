"""A host's supervised processes, as its supervisord tells: state, uptime, restarts."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass

from provision.connect.contract import Connector
from provision.host.supervision import supervisorctl

#: `supervisorctl status`: NAME STATE DETAIL, the name with its group where that differs.
LINE = re.compile(r"^(?:[\w.-]+:)?(?P<name>[\w.-]+)\s+(?P<state>[A-Z]+)\s*(?P<detail>.*)$")
#: What supervisord logs when it starts, and for every process it starts.
STARTED, SPAWNED = "supervisord started with pid", "spawned: "
RUNNING = re.compile(r"pid (?P<pid>\d+), uptime (?P<uptime>.+)")


@dataclass(frozen=True)
class Process:
    """One supervised program; ``uptime`` as supervisord words it, ``restarts`` since its start."""

    name: str
    state: str
    pid: int | None
    uptime: str
    restarts: int
    detail: str


def processes(connector: Connector, folder: str) -> list[Process]:
    """The processes of a host with this data folder; [] if its supervisord does not run.

    Raises ConnectorError.
    """
    # supervisord keeps no count of restarts, but its log has a line for every start.
    log = shlex.quote(f"{folder}/log/supervisord.log")
    result = connector.run(
        f"{supervisorctl(folder)} status; grep -E '{STARTED}|{SPAWNED}' {log}",
        check=False,
        timeout=60,
    )
    return parse(result.stdout)


def parse(text: str) -> list[Process]:
    """Processes from `supervisorctl status`, restarts from the log lines that follow it."""
    starts: Counter[str] = Counter()
    found: list[re.Match[str]] = []
    for line in text.splitlines():
        if STARTED in line:
            starts.clear()
        elif spawned := re.search(f"{SPAWNED}'([^']+)'", line):
            starts[spawned[1]] += 1
        elif match := LINE.match(line):
            found.append(match)
    result = []
    for match in found:
        running = RUNNING.match(match["detail"])
        result.append(
            Process(
                name=match["name"],
                state=match["state"],
                pid=int(running["pid"]) if running else None,
                uptime=running["uptime"] if running else "",
                restarts=max(0, starts[match["name"]] - 1),
                detail="" if running else match["detail"],
            )
        )
    return result
