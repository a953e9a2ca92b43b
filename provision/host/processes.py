"""The supervised processes of a host, as supervisord reports them: state, uptime, restarts."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass

from provision.connect.contract import Connector
from provision.host.supervision import supervisorctl

#: `supervisorctl status`: NAME STATE DETAIL, the name with its group where that differs.
LINE = re.compile(r"^(?:[\w.-]+:)?(?P<name>[\w.-]+)\s+(?P<state>[A-Z]+)\s*(?P<detail>.*)$")
#: In supervisord's log: its own start, and the start of a process.
STARTED, SPAWNED = "supervisord started with pid", "spawned: "
RUNNING = re.compile(r"pid (?P<pid>\d+), uptime (?P<uptime>.+)")


@dataclass(frozen=True)
class Process:
    """One supervised program. `uptime` is supervisord's text ("" if it does not run), `restarts` a
    number since supervisord's own start, `detail` its text about a program that does not run."""

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
    # supervisord counts no restarts, but its log has a line for every start.
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
    rows: list[re.Match[str]] = []
    for line in text.splitlines():
        if STARTED in line:
            starts.clear()
        elif spawned := re.search(f"{SPAWNED}'([^']+)'", line):
            starts[spawned[1]] += 1
        elif row := LINE.match(line):
            rows.append(row)
    return [_process(row["name"], row["state"], row["detail"], starts) for row in rows]


def _process(name: str, state: str, detail: str, starts: Counter[str]) -> Process:
    restarts = max(0, starts[name] - 1)
    if running := RUNNING.match(detail):
        return Process(name, state, int(running["pid"]), running["uptime"], restarts, "")
    return Process(name, state, None, "", restarts, detail)
