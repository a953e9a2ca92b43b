"""What cannot be parsed: exit code 2, what may have been meant, and one object with --json."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fabric import Config, Executor

from control.program import Program

CHECKOUT = Path(__file__).resolve().parents[2]

WRONG = {
    "strat-job": "strat-job: no such command, did you mean start-job?; see: fab -l",
    "top --limt 3": "--limt: no such option, did you mean --limit?; see: fab --help top",
    "top --limit": "--limit needs a value; see: fab --help top",
    "top extra": "extra: top takes options only; see: fab --help top",
    "top --job a --job b": "--job is given twice; see: fab --help top",
    "top --job --limit 3": "--job needs a value; see: fab --help top",
    "start-job --input /etc/hosts /etc/fstab": "/etc/fstab: a file too many: the shell has"
    " expanded a glob, or a name has a blank; put quotes around it, --input '/path/*.txt'"
    "; see: fab --help start-job",
    "--help unheard-of": "unheard-of: no such command; see: fab -l",
    "--nosuch": "--nosuch: no such option; see: fab -l",
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize("as_json", [False, True])
def test_wrong_usage(line: str, as_json: bool, capfd: pytest.CaptureFixture[str]) -> None:
    words = line.split()
    words[1:1] = ["--json"] if as_json and not line.startswith("--") else []
    program = Program(executor_class=Executor, config_class=Config)
    with pytest.raises(SystemExit) as ended:
        program.run(["fab", "--search-root", str(CHECKOUT), *words])
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert err == f"{WRONG[line]}\n"
    if "--json" in words:
        assert json.loads(out) == {"error": {"kind": "usage", "message": WRONG[line]}}
    else:
        assert out == ""


def test_one_object_is_of_one_command(capfd: pytest.CaptureFixture[str]) -> None:
    program = Program(executor_class=Executor, config_class=Config)
    with pytest.raises(SystemExit) as ended:
        program.run(["fab", "--search-root", str(CHECKOUT), "top", "--json", "status"])
    assert ended.value.code == 2
    assert "not top and status" in json.loads(capfd.readouterr().out)["error"]["message"]


def test_fab_itself_and_a_script() -> None:
    """The program that Fabric installs becomes ours once it has loaded the fabfile."""
    for command in (["-m", "fabric", "top", "--limt"], ["scripts/read_repair", "--limt"]):
        done = subprocess.run(
            [sys.executable, *command, "--json"],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        error = json.loads(done.stdout)["error"]
        assert error["kind"] == "usage"
        assert "--limt" in error["message"]
