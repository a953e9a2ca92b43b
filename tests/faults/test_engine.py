"""Records, timers and healing on one machine, by processes that are really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from faults.host import engine, processes
from faults.host.records import Records
from tests.netns import poll

PROGRAM = [sys.executable, "-m", "faults.host"]
CHECKOUT = Path(__file__).parents[2]
#: What a loaded machine may add to a deadline, seconds.
LATE = 90


class Data:
    """A host's data folder, and the fault that makes `broken` and heals it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir()
        self.broken, self.healed = folder / "broken", folder / "healed"
        self.records = Records(folder / "run" / "faults")

    def order(self, **changes: Any) -> str:
        order = {
            "id": "x-t-1",
            "fault": "x",
            "target": "t",
            "text": "broken",
            "seconds": 60,
            "before": "echo was",
            "apply": f"touch {self.broken}",
            "heal": f'echo "$FAULT_BEFORE" >>{self.healed} && rm -f {self.broken}',
            "inherit": False,
        }
        return json.dumps(order | changes)

    def run(self, verb: str, *words: str, stdin: str = "", code: int = 0) -> str:
        command = [*PROGRAM, verb, "--data", str(self.folder), *words]
        done = subprocess.run(
            command, input=stdin, cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def begin(self, code: int = 0, **changes: Any) -> str:
        return self.run("begin", stdin=self.order(**changes), code=code)

    def list(self, *words: str) -> list[dict[str, Any]]:
        return list(json.loads(self.run("list", *words)))

    def nothing_left(self) -> bool:
        return not self.broken.exists() and not list(self.records.folder.iterdir())

    def timer(self, fault: str = "x-t-1") -> int:
        timer = self.records.timer(fault)
        assert timer is not None
        assert timer.alive
        return timer.pid


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_a_record_survives_a_power_cut(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a record; if it is written, expect its content and its name to be on disk
    data.begin()
    (record,) = data.records.all()
    synced: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    data.records.write(record)
    folder = str(data.records.folder)
    assert [Path(name).parent.name for name in synced] == [data.records.folder.name, "run"]
    assert synced[1] == folder
    data.run("heal", "x-t-1")


def test_it_ends_at_its_deadline(data: Data) -> None:
    """Given a fault of 1 s. Expect it in force, its record for root alone, and then over.

    Mending it takes until it was looked at.
    """
    started, looked = time.monotonic(), data.folder / "looked"
    data.begin(
        seconds=1,
        heal=f'until [ -e {looked} ]; do sleep 0.01; done; echo "$FAULT_BEFORE" >>{data.healed}'
        f" && rm -f {data.broken}",
    )
    assert data.broken.exists()
    assert (data.records.folder / "x-t-1.json").stat().st_mode & 0o777 == 0o600
    assert data.records.folder.stat().st_mode & 0o777 == 0o700
    pid = data.timer()
    looked.touch()
    poll(data.nothing_left, 1 + LATE)
    assert time.monotonic() - started >= 1
    assert data.healed.read_text() == "was\n"
    poll(lambda: processes.state(pid)[0] in processes.GONE, LATE)


def test_healing_is_idempotent_and_ends_the_timer(data: Data) -> None:
    data.begin()
    pid = data.timer()
    assert json.loads(data.run("heal", "x-t-1")) == {"healed": ["x-t-1"], "failed": {}}
    assert data.nothing_left()
    assert json.loads(data.run("heal", "x-t-1"))["healed"] == []
    assert data.healed.read_text() == "was\n"
    assert processes.state(pid)[0] in processes.GONE


def test_the_timer_belongs_to_nobody(data: Data) -> None:
    """Expect a session of its own, no standard streams, no lock, signals of hanging up
    ignored, and the root as its working directory."""
    data.begin()
    pid = data.timer()
    try:
        assert os.getsid(pid) not in (os.getsid(0), os.getpid())
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()} == {"/dev/null"}
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            os.kill(pid, number)
        assert data.timer() == pid
    finally:
        data.run("heal", "--all")


@pytest.mark.parametrize("step", ["before", "apply"])
def test_killed_at_a_step(data: Data, step: str) -> None:
    """Given the program that begins a fault killed while it looks, or while it breaks. Expect
    nothing broken in the first case, and in the second an end at the deadline."""
    slow = {step: f"touch {data.broken}; touch {data.folder}/reached; exec sleep 20"}
    if step == "before":
        slow[step] = slow[step].replace(f"touch {data.broken}; ", "")
    command = [*PROGRAM, "begin", "--data", str(data.folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(data.order(seconds=2, **slow))
        process.stdin.close()
        poll((data.folder / "reached").exists, LATE)
        os.killpg(process.pid, signal.SIGKILL)
    poll(data.nothing_left, 2 + LATE)
    assert data.healed.exists() == (step == "apply")


def test_what_fails_breaks_nothing(data: Data) -> None:
    assert "exit 3" in data.begin(before="echo no >&2; exit 3", code=1)
    assert not list(data.records.folder.glob("*"))
    said = data.begin(apply=f"touch {data.broken}; echo no >&2; exit 3", code=1)
    assert said.rstrip().endswith(": no")
    assert data.nothing_left()


def test_a_healing_that_fails_is_tried_again(data: Data) -> None:
    """Given a deadline at which healing is not possible. Expect it done once it is."""
    possible = data.folder / "possible"
    data.begin(seconds=0.2, heal=f"[ -e {possible} ] && rm -f {data.broken}")
    poll(lambda: data.list()[0]["seconds_left"] == 0, LATE)
    assert "x-t-1" in data.run("heal", "--all", code=1)
    assert data.broken.exists()
    possible.touch()
    poll(data.nothing_left, 2 * LATE)


def test_a_newer_one_takes_over(data: Data) -> None:
    """Given two faults of a kind on one target. Expect one record, one timer, the state before
    both restored with `inherit`, and each its own without."""
    data.begin(inherit=True)
    first = data.timer()
    data.begin(id="x-t-2", before="echo now", inherit=True)
    assert [fault["id"] for fault in data.list()] == ["x-t-2"]
    assert processes.state(first)[0] in processes.GONE
    data.begin(id="x-u-1", target="u")
    assert len(data.list()) == 2
    data.run("heal", "--all")
    assert data.healed.read_text() == "was\nwas\n"
    data.begin(before="echo one")
    data.begin(id="x-t-2", before="echo two")
    data.run("heal", "--all")
    assert data.healed.read_text() == "was\nwas\none\ntwo\n"
    assert data.nothing_left()


def test_sweep_takes_what_nobody_else_will_end(data: Data) -> None:
    """Given two faults, the timer of one of them killed. Expect the sweep to end that one."""
    data.begin()
    data.begin(id="x-u-1", target="u")
    assert data.list("--stale") == []
    os.kill(data.timer("x-u-1"), signal.SIGKILL)
    poll(lambda: [fault["id"] for fault in data.list("--stale")] == ["x-u-1"], LATE)
    assert json.loads(data.run("sweep"))["healed"] == ["x-u-1"]
    assert [fault["id"] for fault in data.list()] == ["x-t-1"]
    data.run("heal", "--all")


def test_after_a_reboot_it_is_over(data: Data) -> None:
    """Given a record of another boot. Expect no time left, and the sweep to end it."""
    data.begin()
    os.kill(data.timer(), signal.SIGKILL)
    path = data.records.folder / "x-t-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot": "another"}))
    assert data.list()[0]["seconds_left"] == 0
    data.run("sweep")
    assert data.nothing_left()


def test_a_signal_reaches_no_other_process() -> None:
    """Given a process id with a start that is another's. Expect nothing to be signalled."""
    with subprocess.Popen(["sleep", "60"]) as process:
        start = processes.state(process.pid)[1]
        assert not processes.send(signal.SIGKILL, process.pid, start - 1)
        assert processes.send(signal.SIGSTOP, process.pid, start)
        assert processes.state(process.pid)[0] == "T"
        assert processes.send(signal.SIGKILL, process.pid, start)
        assert not processes.send(signal.SIGCONT, process.pid, start)


def test_a_waiting_lock_is_not_waited_for_for_ever(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a holder that hangs. Expect healing to go ahead after a while."""
    monkeypatch.setattr("faults.host.records.LOCK_SECONDS", 0.3)
    data.begin()
    with data.records.lock():
        assert engine.heal(data.records, lambda _: True)["healed"] == ["x-t-1"]
    assert data.nothing_left()


def test_the_record_of_a_later_version_is_healed(data: Data) -> None:
    # Given a fault whose record, and whose timer's file, say more than this version knows
    data.begin()
    for path in data.records.folder.iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "red"}))
    # Expect it to be listed, and to be healed
    assert [(fault["id"], fault["stale"]) for fault in data.list()] == [("x-t-1", False)]
    data.run("heal", "--all")
    assert data.healed.read_text() == "was\n"
    assert data.nothing_left()


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_record_is_named(data: Data, text: str) -> None:
    data.records.folder.mkdir()
    path = data.records.folder / "x-t-1.json"
    path.write_text(text)
    for verb in ("list", "sweep"):
        said = data.run(verb, code=1)
        assert said.startswith(f"{path}: damaged: ")
        assert said.endswith("undo that fault by hand, then remove the file\n")


def test_a_command_that_takes_too_long_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a command whose child waits, as iptables does for its lock. Expect the fault to fail in
    time, and the child not to go on."""
    monkeypatch.setattr(engine, "COMMAND_SECONDS", 0.5)
    data = Data(tmp_path)
    pid = tmp_path / "pid"
    apply = f"sh -c 'echo $$ >{pid}; exec sleep 1000'; touch {data.broken}"
    with pytest.raises(engine.Failed, match="no end after"):
        engine.begin(data.records, engine.Order(**json.loads(data.order(apply=apply))))
    poll(lambda: not Path(f"/proc/{int(pid.read_text())}").exists())
    assert not data.broken.exists()
