"""Which host reaches which Redis, measured by connecting as the workers' user of each host.

A connection takes packets in both directions. A host without a Redis is reached if it refuses the
connection: a refusal is an answer.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from errno import ECONNREFUSED

from provision.connect.contract import Connector
from provision.connect.hosts import Hosts
from provision.inventory.model import Host, Inventory

#: Longer than the 1 s after which the kernel sends a lost first packet again.
ANSWER_SECONDS = 1.5
#: How long to repeat a measurement until all hosts are connected.
PROOF_SECONDS = 6.0

#: Why a host does not reach another, by the other's name; "" when it does.
Row = dict[str, str]


def row(
    connector: Connector, inventory: Inventory, host: Host, seconds: float = ANSWER_SECONDS
) -> Row:
    """What one host reaches, including itself. Raises ConnectorError."""
    port = inventory.redis.port
    where = {f"{other.address}:{port}": other for other in inventory.hosts}
    python = f"{inventory.folder(host)}/env/bin/python"
    command = shlex.join([python, "-I", "-m", "faults.host.probe", f"{seconds:g}", *where])
    answers = json.loads(connector.run(command, user=inventory.worker_user, timeout=30).stdout)
    return {
        other.name: _reason(answers[target], other in inventory.replicas)
        for target, other in where.items()
    }


def matrix(
    hosts: Hosts, seconds: float = ANSWER_SECONDS
) -> tuple[dict[str, Row], dict[str, Exception]]:
    """The rows of all hosts, and the errors of those that could not be asked."""
    rows: dict[str, Row] = {}
    failed: dict[str, Exception] = {}
    found = hosts.each(lambda host: row(hosts.connector(host), hosts.inventory, host, seconds))
    for name, result in found.items():
        if isinstance(result, Exception):
            failed[name] = result
        else:
            rows[name] = result
    return rows, failed


def proof(hosts: Hosts) -> tuple[dict[str, Row], dict[str, Exception]]:
    """The same, repeated until all are connected or the time is over: a Redis may be starting."""
    end = time.monotonic() + PROOF_SECONDS
    while True:
        rows, failed = matrix(hosts)
        if not (failed or missing(rows)) or time.monotonic() > end:
            return rows, failed


def missing(rows: dict[str, Row]) -> list[str]:
    """The pairs without a connection, in words."""
    return [
        f"{a} does not reach {b}: {reason}"
        for a, found in rows.items()
        for b, reason in found.items()
        if reason
    ]


def as_bools(rows: dict[str, Row]) -> dict[str, dict[str, bool]]:
    """{from: {to: bool}}"""
    return {a: {b: not reason for b, reason in found.items()} for a, found in rows.items()}


def matrix_lines(rows: dict[str, Row]) -> list[str]:
    """The matrix as lines of text: from the host of a row to that of a column."""
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    width = max(map(len, [*names, *rows, "from"])) + 2
    lines = [["from", *names]]
    for a, found in rows.items():
        lines.append([a, *("no" if found.get(b, "") else "yes" for b in names)])
    return ["".join(word.ljust(width) for word in line).rstrip() for line in lines]


def _reason(answer: str, has_redis: bool) -> str:
    if answer == os.strerror(ECONNREFUSED):
        return "connection refused: Redis does not run (fab status)" if has_redis else ""
    return answer
