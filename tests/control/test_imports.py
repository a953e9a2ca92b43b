"""What a command need not import, it does not: importing takes longer than most commands."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Libraries that only some commands need.
HEAVY = {"paramiko", "fabric", "rich", "jinja2", "toml", "redis", "psutil", "xxhash"}


def modules_after(modules: str) -> set[str]:
    """The modules in a fresh Python that has imported these."""
    code = f"import sys, {modules}; print(*sys.modules)"
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def imported(modules: str) -> set[str]:
    """The packages and top-level modules in a fresh Python that has imported these."""
    return {name.partition(".")[0] for name in modules_after(modules)}


def test_the_fabfile_imports_no_command() -> None:
    # `fab` itself imports Fabric, and that paramiko.
    assert imported("fabfile") & (HEAVY | {"faults"}) == {"fabric", "paramiko"}
    ours = {name for name in modules_after("fabfile") if name.startswith("control")}
    assert ours == {"control", "control.program"}


@pytest.mark.parametrize(
    "command", ["control.commands.jobs", "control.commands.results", "control.commands.status"]
)
def test_commands_on_namespaces(command: str) -> None:
    # The inventory is TOML; tables are for people, SSH is for machines.
    assert imported(f"{command}, provision.connect.netns") & HEAVY == {"toml"}


def test_what_a_host_without_faults_says_of_them() -> None:
    assert not imported("faults.host.__main__") & {"json", "dataclasses", "subprocess"}
