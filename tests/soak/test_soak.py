"""What a soak takes for a finding."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.netns import TestCluster, unique_name
from tests.soak.commands import Commands, Finding
from tests.soak.inputs import Inputs
from tests.soak.leftovers import leftovers


def commands(script: str) -> Commands:
    """`fab` is a script of Python that gets its arguments."""
    return Commands(TestCluster(Path("no.toml"), program=(sys.executable, "-c", script)), 0.0)


def test_a_command_that_fails_is_a_finding() -> None:
    assert commands("print(1)").fab("verify").stdout == "1\n"
    failing = commands("import sys; print('different'); sys.exit(1)")
    assert failing.fab("verify", codes=(0, 1)).returncode == 1
    with pytest.raises(Finding, match=r"fab verify --job a: exit 1\ndifferent"):
        failing.fab("verify", "--job", "a")


@pytest.mark.parametrize("printed", ["", "[]", "{} {}", "a message\\n{}"])
def test_anything_but_one_object_is_a_finding(printed: str) -> None:
    assert commands("print('{\"jobs\": []}')").json("jobs") == {"jobs": []}
    with pytest.raises(Finding, match="--json printed"):
        commands(f"print('{printed}')").json("jobs")


def test_what_is_left_behind_is_found(tmp_path: Path) -> None:
    # Given a file, and a process, that bear the cluster's name, and nothing else that does
    name = unique_name()
    own = tmp_path / name
    own.mkdir()
    assert leftovers(name, own) == []
    left = tmp_path / f"x-{name}.log"
    left.touch()
    sleeper = subprocess.Popen([sys.executable, "-c", "input()", name], stdin=subprocess.PIPE)
    try:
        found = leftovers(name, own)
    finally:
        sleeper.communicate(b"\n")
    # Expect both to be named, and not the soak's own folder
    assert found[0] == str(left)
    assert found[1].startswith(f"process {sleeper.pid}: ")
    assert len(found) == 2


def test_inputs_are_those_of_the_seed(tmp_path: Path) -> None:
    made = []
    for folder in ("a", "b"):
        inputs = Inputs(tmp_path / folder, Random(5))
        inputs.change()
        inputs.delete()
        files = sorted((tmp_path / folder).rglob("*.txt"))
        made.append([(path.relative_to(tmp_path / folder), path.read_text()) for path in files])
    assert made[0] == made[1]
    assert len(made[0]) > 1
