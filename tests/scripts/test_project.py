"""The Python scripts as typed: help, usage errors, and what they say without an environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ("merge_counters", "read_repair")


def run(*command: str | Path, code: int, cwd: Path = CHECKOUT) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_from_anywhere_by_any_python(script: str, tmp_path: Path) -> None:
    # Given a python3 without packages, and another folder than the project's
    if not (CHECKOUT / ".venv/bin/python").exists():
        pytest.skip("there is no .venv here, which the script would go on in")
    # If help is asked for; expect it, with examples and exit codes
    done = run(sys.executable, "-S", CHECKOUT / "scripts" / script, "--help", code=0, cwd=tmp_path)
    for word in ("examples:", f"scripts/{script} --", "exit codes:", "--inventory", "--json"):
        assert word in done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_an_environment(script: str, tmp_path: Path) -> None:
    # Given a project where nothing was installed yet, and a python3 without packages
    shutil.copytree(CHECKOUT / "scripts", tmp_path / "scripts")
    # If a script is started; expect to be told what to run
    done = run(sys.executable, "-S", tmp_path / "scripts" / script, "--help", code=2)
    assert done.stderr == (
        f"{script}: {tmp_path}/.venv is not there: run scripts/quickstart, or scripts/test, first\n"
    )
    # Given an environment that was made and not filled; expect the same, with what is missing
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv", code=0)
    done = run(sys.executable, "-S", tmp_path / "scripts" / script, "--help", code=2)
    assert (
        f"{tmp_path}/.venv lacks fabric, jinja2, rich, toml: run scripts/quickstart" in done.stderr
    )


WRONG = {
    "no option": ([], "no option: allowed are --from HOSTS --to HOSTS, --export"),
    "half a pair": (["--from", "h1"], "--from: allowed are"),
    "two things at once": (
        ["--from", "h1", "--to", "h2", "--file", "x"],
        "--file, --from, --to: allowed are",
    ),
    "an unknown replica": (
        ["--from", "h1", "--to", "h9"],
        "--to 'h9': allowed are the replicas h1, h2, h3",
    ),
    "no replica": (["--from", ",", "--to", "h1"], "--from: name one replica or more of h1, h2, h3"),
    "two exports": (["--export", "h1,h2", "--file", "x"], "--export h1,h2: allowed is one replica"),
    "no folder": (
        ["--export", "h1", "--file", "/nowhere/x.tar"],
        "--file '/nowhere/x.tar': allowed is a file in a folder that exists",
    ),
    "no file": (["--import", "/nowhere/x.tar", "--to", "h1"], "'/nowhere/x.tar': no such file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(case: str, tmp_path: Path) -> None:
    # Given the inventory of a cluster that nobody has to make for this
    inventory = tmp_path / "inventory.toml"
    hosts = [f'[[hosts]]\nname = "h{n}"\naddress = "198.18.0.{n}"\n' for n in (1, 2, 3)]
    inventory.write_text('[cluster]\nname = "none"\nconnection = "netns"\n' + "".join(hosts))
    arguments, message = WRONG[case]
    # If options do not fit together; expect what is allowed, and exit code 2
    script = CHECKOUT / "scripts/merge_counters"
    done = run(sys.executable, script, *arguments, "--inventory", inventory, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
