"""Facts about a host: one shell command and one parser for each.

All facts of a host take one round trip: their commands are joined into one script, which prints a
marker line before each answer. Parsers are pure, and nothing here changes a host.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from provision.connect.contract import Connector

MARKER = "=== faultline fact "
GATHER_SECONDS = 300  # a minute is not enough on an emulated machine
SUPERVISORCTL_OK = {0, 3}  # exit codes; 3: supervisord answers, and some program does not run


@dataclass(frozen=True)
class PathFact:
    """A path that exists. `kind`: file, directory, link or other; `mode`: octal, as in "640";
    `target`: a link's; `sha256`: a file's, in hexadecimal."""

    kind: str
    mode: str
    owner: str
    group: str
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class UserFact:
    """A user that exists: its primary group, the comment in the user database, and its number."""

    group: str
    comment: str
    uid: str = ""


@dataclass(frozen=True)
class Listener:
    """A TCP socket listening on Redis' port; `folder` is its process' working directory."""

    address: str
    process: str
    folder: str


@dataclass(frozen=True)
class Facts:
    """Versions are (major, minor, patch), () when the program is missing.

    `environments`: complete Python environments, of which the `unused_environments` have no link
    and no process. `memory`: bytes that processes may use, 0 if nobody knows. `pending`: programs
    that must still restart. `programs`: states by name, None when supervisord does not run in the
    host's network. `damaged`: Redis ended because it could not read its data. `library`: the answer
    of `wc.cli.redis_admin check`. `foreign`: folders in the place of ours that provision did not
    make. `exposed`: folders on the way to them that others than root may change. `roster`: the
    cluster's hosts by name, as earlier runs noted them. `append_only`: yes or no, as redis.conf has
    it; "" without one. `redis_users`: as users.acl has them. `config`: wc.json. `stale`: the host
    was changed since the facts were gathered.
    """

    python: tuple[int, ...] = ()
    machine: str = ""
    memory: int = 0
    redis: tuple[int, ...] = ()
    systemd: bool = False
    packages: frozenset[str] = frozenset()
    users: dict[str, UserFact] = field(default_factory=dict)
    paths: dict[str, PathFact] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    unused_environments: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    programs: dict[str, str] | None = None
    damaged: bool = False
    library: dict[str, Any] = field(default_factory=dict)
    stale_faults: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    exposed: frozenset[str] = frozenset()
    roster: dict[str, dict[str, Any]] = field(default_factory=dict)
    append_only: str = ""
    redis_users: frozenset[str] = frozenset()
    config: dict[str, Any] = field(default_factory=dict)
    stale: bool = False


@dataclass(frozen=True)
class Fact:
    """`name` is the attribute of Facts that `parse` makes out of what `command` prints."""

    name: str
    command: str
    parse: Callable[[str], Any]


def version(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in match.groups()) if match else ()


def least(text: str) -> int:
    """The least of some numbers, a line each, among other lines; 0 without any."""
    return min((int(line) for line in text.splitlines() if line.isdigit()), default=0)


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def users(text: str) -> dict[str, UserFact]:
    """Lines of `name|group|number|comment`."""
    rows = [line.split("|", 3) for line in text.splitlines() if line]
    return {name: UserFact(group, comment, uid) for name, group, uid, comment in rows}


def paths(text: str) -> dict[str, PathFact]:
    """Lines of find's `path|type|mode|owner|group|target`, then lines of sha256sum."""
    kinds = {"f": "file", "d": "directory", "l": "link"}
    facts: dict[str, PathFact] = {}
    digests: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"([0-9a-f]{64})  (.+)", line):
            digests[match[2]] = match[1]
        elif line.count("|") == 5:
            path, kind, mode, owner, group, target = line.split("|")
            facts[path] = PathFact(kinds.get(kind, "other"), mode, owner, group, target)
    return {path: replace(fact, sha256=digests.get(path, "")) for path, fact in facts.items()}


def listeners(text: str) -> tuple[Listener, ...]:
    """Lines of `address|process|folder`."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 2]
    return tuple(Listener(*row) for row in rows)


def programs(text: str) -> dict[str, str] | None:
    """States by name from `supervisorctl status`; the last line is its exit code. None if down."""
    *lines, code = text.strip().splitlines() or ["", "1"]
    if int(code) not in SUPERVISORCTL_OK:
        return None
    rows = [line.split() for line in lines]
    return {row[0]: row[1] for row in rows if len(row) >= 2}


def library(text: str) -> dict[str, Any]:
    """A JSON object; {} where the command failed, as before the environment is installed."""
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def fault_names(text: str) -> frozenset[str]:
    """Ids of faults in a JSON list; none where the command failed."""
    try:
        return frozenset(fault["id"] for fault in json.loads(text))
    except ValueError:
        return frozenset()


def roster(text: str) -> dict[str, dict[str, Any]]:
    """JSON objects {"hosts": [{"name", ...}]}, one a line, together; what is none is left out."""
    hosts: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        entries = library(line).get("hosts", [])
        hosts |= {entry["name"]: entry for entry in entries if "name" in entry}
    return hosts


def gather(connector: Connector, facts: Iterable[Fact], *, outside: bool = False) -> Facts:
    """Get all facts of a host in one round trip. Raises ConnectorError."""
    facts = list(facts)
    lines = []
    for fact in facts:
        lines.append(f"printf '\\n%s\\n' {shlex.quote(MARKER + fact.name)}")
        lines.append(f"{{ {fact.command}\n}} 2>/dev/null </dev/null")
    script = "\n".join([*lines, "true"])
    answer = connector.run(script, outside=outside, timeout=GATHER_SECONDS).stdout
    sections: dict[str, str] = {}
    for section in answer.split(f"\n{MARKER}")[1:]:
        name, _, body = section.partition("\n")
        sections[name] = body
    return Facts(**{fact.name: fact.parse(sections.get(fact.name, "")) for fact in facts})
