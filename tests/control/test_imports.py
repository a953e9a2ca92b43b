"""What a command need not import, it does not: importing takes longer than most commands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Libraries that only some commands need.
HEAVY = {"paramiko", "fabric", "rich", "jinja2", "toml", "redis", "psutil", "xxhash"}


def imported(modules: str) -> set[str]:
    """The packages and top-level modules in a fresh Python that has imported these."""
    code = f"import json, sys, {modules}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_fabfile_imports_no_command() -> None:
    # `fab` itself imports Fabric, and that paramiko.
    assert imported("fabfile") & (HEAVY | {"control", "faults"}) == {"fabric", "paramiko"}


@pytest.mark.parametrize(
    "command", ["control.commands.jobs", "control.commands.results", "control.commands.status"]
)
def test_commands_on_namespaces(command: str) -> None:
    # The inventory is TOML; tables are for people, SSH is for machines.
    assert imported(f"{command}, provision.connect.netns") & HEAVY == {"toml"}
