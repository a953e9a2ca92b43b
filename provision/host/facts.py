"""What is the case on a host: one shell command and one parser for each fact.

All facts of a host travel in one round trip: their commands are joined into one script, which
prints a marker before each answer. Parsers are pure, and give the wanted state's operations
something to compare with; nothing here changes a host.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from provision.connect.contract import Connector

MARKER = "=== faultline fact "
ASK_SECONDS = 300  # a minute is not enough for an emulated machine
SUPERVISORCTL_ANSWERED = {0, 3}  # 3: it answered, and some program is not running


@dataclass(frozen=True)
class PathFact:
    """A path that exists. `kind`: file, directory, link or other; `mode` octal as in "640"."""

    kind: str
    mode: str
    owner: str
    group: str
    target: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class UserFact:
    group: str
    comment: str


@dataclass(frozen=True)
class Listener:
    """A TCP socket listening on the wanted port; `folder` is its process's working directory."""

    address: str
    process: str
    folder: str


@dataclass(frozen=True)
class Facts:
    """Versions are (major, minor, patch), empty when the program is missing.

    `pending`: restarts owed. `stale`: the host was changed since it was asked.
    """

    python: tuple[int, ...] = ()
    machine: str = ""
    redis: tuple[int, ...] = ()
    systemd: bool = False
    packages: frozenset[str] = frozenset()
    users: dict[str, UserFact] = field(default_factory=dict)
    paths: dict[str, PathFact] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    programs: dict[str, str] | None = None
    library: dict[str, Any] = field(default_factory=dict)
    stale_faults: frozenset[str] = frozenset()
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


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def users(text: str) -> dict[str, UserFact]:
    """Lines of `name|group|comment`."""
    rows = [line.split("|", 2) for line in text.splitlines() if line]
    return {name: UserFact(group, comment) for name, group, comment in rows}


def paths(text: str) -> dict[str, PathFact]:
    """Lines of find's `path|type|mode|owner|group|target`, then lines of sha256sum."""
    kinds = {"f": "file", "d": "directory", "l": "link"}
    found: dict[str, PathFact] = {}
    digests: dict[str, str] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"([0-9a-f]{64})  (.+)", line):
            digests[match[2]] = match[1]
        elif line.count("|") == 5:
            path, kind, mode, owner, group, target = line.split("|")
            found[path] = PathFact(kinds.get(kind, "other"), mode, owner, group, target)
    return {
        path: PathFact(**{**vars(fact), "sha256": digests.get(path, "")})
        for path, fact in found.items()
    }


def listeners(text: str) -> tuple[Listener, ...]:
    """Lines of `address|process|folder`."""
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 2]
    return tuple(Listener(*row) for row in rows)


def programs(text: str) -> dict[str, str] | None:
    """`supervisorctl status` and its exit code in the last line: states by name, None if down."""
    *lines, code = text.strip().splitlines() or ["", "1"]
    if int(code) not in SUPERVISORCTL_ANSWERED:
        return None
    rows = [line.split() for line in lines]
    return {row[0]: row[1] for row in rows if len(row) >= 2}


def library(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fault_names(text: str) -> frozenset[str]:
    """Ids in the JSON list a host answers with; none where that cannot be told."""
    try:
        return frozenset(fault["id"] for fault in json.loads(text))
    except ValueError:
        return frozenset()


def gather(connector: Connector, facts: Iterable[Fact], *, outside: bool = False) -> Facts:
    """Ask a host for all facts in one round trip. Raises what the connector raises."""
    facts = list(facts)
    lines = []
    for fact in facts:
        lines.append(f"printf '\\n%s\\n' {shlex.quote(MARKER + fact.name)}")
        lines.append(f"{{ {fact.command}\n}} 2>/dev/null </dev/null")
    script = "\n".join([*lines, "true"])
    answer = connector.run(script, outside=outside, timeout=ASK_SECONDS).stdout
    sections: dict[str, str] = {}
    for section in answer.split(f"\n{MARKER}")[1:]:
        name, _, body = section.partition("\n")
        sections[name] = body
    return Facts(**{fact.name: fact.parse(sections.get(fact.name, "")) for fact in facts})
