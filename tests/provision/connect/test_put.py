"""Files on hosts: whole or not at all, and nothing that root does through another user's folder."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from control.host_file import host_file
from provision.connect.contract import CommandFailed, Connector, RawResult
from provision.inventory.model import Host
from tests.netns import poll, require_root

HOST = Host(name="h1", address="198.18.0.1")
CONTENT = os.urandom(300_000)


class Here(Connector):
    """This machine as a host. `halfway` is called when half of standard input has been sent, and
    returns whether the rest follows."""

    def __init__(self, halfway: Callable[[], bool] = lambda: True) -> None:
        super().__init__(HOST)
        self.halfway = halfway

    def _execute(
        self, script: str, stdin: bytes | None, timeout: float | None, outside: bool
    ) -> RawResult:
        process = subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        content = stdin or b""
        half = len(content) // 2
        process.stdin.write(content[:half])
        process.stdin.flush()
        rest = content[half:] if not content or self.halfway() else b""
        out, err = process.communicate(rest, timeout=60)
        return RawResult(process.returncode, out, err)

    def _follow(self, script: str) -> Iterator[str | int]:
        raise NotImplementedError

    def close(self) -> None:
        pass


def test_half_a_file_never_takes_the_place_of_a_whole_one(tmp_path: Path) -> None:
    """Given a file, and a connection that is lost in the middle of the next one. Expect an error
    that says so, the old file, and nothing beside it."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(CommandFailed, match=r"of 300000 bytes 150000 arrived.*run it again"):
        Here(lambda: False).put(CONTENT, str(path), owner=pwd.getpwuid(os.getuid()).pw_name)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The data folder of a host, whose jobs/ belongs to the workers' user, here nobody."""
    require_root()
    # Others than root may go through it: pytest's own are closed.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)
    jobs = tmp_path / "jobs"
    jobs.mkdir(mode=0o755)
    os.chown(jobs, pwd.getpwnam("nobody").pw_uid, -1)
    return tmp_path


def a_cluster(folder: Path, connector: Connector) -> Any:
    inventory = SimpleNamespace(folder=lambda _: str(folder), worker_user="nobody")
    return SimpleNamespace(inventory=inventory, connector=lambda _: connector)


def test_root_gives_away_no_file_of_its_own(theirs: Path) -> None:
    """Given a file that root writes for a command of the workers' user. If that user puts a link
    in its place meanwhile. Expect what the link points to to be as it was."""
    victim = theirs / "victim"
    victim.write_text("root's")

    def swap() -> bool:
        poll(lambda: list(theirs.glob("jobs/*.new")))
        (temporary,) = theirs.glob("jobs/*.new")
        temporary.rename(temporary.with_name("aside"))
        temporary.symlink_to(victim)
        return True

    with (
        pytest.raises(CommandFailed),
        host_file(a_cluster(theirs, Here(swap)), HOST, "state") as file,
    ):
        file.put(CONTENT)
    assert (victim.stat().st_uid, victim.stat().st_mode & 0o777) == (0, 0o644)
    assert victim.read_text() == "root's"
    assert [path.name for path in theirs.glob("jobs/*")] == ["aside"]


def test_root_reads_no_file_of_its_own_for_another(theirs: Path) -> None:
    secret = theirs / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    with host_file(a_cluster(theirs, Here()), HOST, "state") as file:
        Path(file.path).symlink_to(secret)
        with pytest.raises(CommandFailed, match="Permission denied"):
            file.get()
    # ... and what is the user's own comes and goes as before
    with host_file(a_cluster(theirs, Here()), HOST, "state") as file:
        file.put(CONTENT)
        assert Path(file.path).owner() == "nobody"
        assert file.get() == CONTENT
    assert not list(theirs.glob("jobs/*"))
