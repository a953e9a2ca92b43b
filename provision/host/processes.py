"""The supervised processes of a host, as supervisord reports them: state, uptime, restarts."""

from __future__ import annotations

import re
import shlex
import xmlrpc.client
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.connect.contract import Connector
from provision.host.fact_commands import PYTHON

SCRIPT = Path(__file__).with_name("process_info.py")
#: In supervisord's log: its own start, and the start of a process.
STARTED, SPAWNED = "supervisord started with pid", "spawned: "


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
    socket = shlex.quote(f"{folder}/run/supervisor.sock")
    result = connector.run(
        f"{PYTHON} -I -S - {socket} && grep -E '{STARTED}|{SPAWNED}' {log}",
        stdin=SCRIPT.read_bytes(),
        check=False,
        timeout=60,
    )
    return parse(result.stdout)


def parse(text: str) -> list[Process]:
    """Processes from supervisord's answer, restarts from the log lines that follow it."""
    answer, end, log = text.partition("</methodResponse>")
    if not end:
        return []
    starts: Counter[str] = Counter()
    for line in log.splitlines():
        if STARTED in line:
            starts.clear()
        elif spawned := re.search(f"{SPAWNED}'([^']+)'", line):
            starts[spawned[1]] += 1
    infos: Any = xmlrpc.client.loads(answer + end)[0][0]
    return [_process(info, max(0, starts[info["name"]] - 1)) for info in infos]


def _process(info: dict[str, Any], restarts: int) -> Process:
    name, state, text = info["name"], info["statename"], info["description"]
    if state == "RUNNING":  # "pid 7007, uptime 0:00:12"
        uptime = text.partition("uptime ")[2]
        return Process(name, state, info["pid"], uptime, restarts, "")
    return Process(name, state, None, "", restarts, text)
