"""The fabfile's own decorator: each task hands its options to a command that takes them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from fabric.tasks import Task
from invoke.exceptions import Exit

import fabfile

TASKS = {task.name: task for task in vars(fabfile).values() if isinstance(task, Task)}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_command_takes_the_options_of_its_task(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given an inventory that does not exist; if a task runs with its defaults
    task = TASKS[name]
    missing = {"inventory": str(tmp_path / "none.toml"), "json": True}
    options = inspect.signature(task.body).parameters
    given = {key: missing[key] for key in missing if key in options}
    for option in options.values():
        if option.name not in ("c", *given):
            given[option.name] = option.default
    with pytest.raises(Exit) as ended:
        task.body(None, **given)
    # Expect just that to be wrong
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert "none.toml: no such file" in err or "needed are --host and --process" in err
    if "json" in options:
        assert json.loads(out)["error"]["kind"] == "inventory"
