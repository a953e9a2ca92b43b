"""What the shell scripts do to the machine: taken back when they are interrupted, and private."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def bash(script: str, *sources: str) -> subprocess.CompletedProcess[str]:
    """A script that begins as ours do."""
    lines = ["set -euo pipefail", *(f". {SCRIPTS}/{name}" for name in sources), script]
    return subprocess.run(
        ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("without root the scripts ask for a password")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_lets_services_start_again(tmp_path: Path, number: int) -> None:
    """Given a set-up that is interrupted while it installs packages. Expect services to start
    again with their packages, also those that an earlier killed one kept from it."""
    policy = tmp_path / "policy-rc.d"
    interrupted = (
        f"policy={policy}; keep_services_down; grep -c faultline {policy}; kill -{number} $$"
    )
    done = bash(interrupted, "setup.sh")
    assert (done.returncode, done.stdout) == (-number, "1\n"), done.stderr
    assert not policy.exists()
    # Given one that was killed and could not take it back; expect the next to do it
    done = bash(interrupted.replace(f"-{number} $$", "-KILL $$"), "setup.sh")
    assert policy.exists()
    assert bash(f"policy={policy}; keep_services_down; let_services_up", "setup.sh").returncode == 0
    assert not policy.exists()
    # ... and somebody else's to stay as it is
    policy.write_text("theirs")
    assert bash(f"policy={policy}; keep_services_down; let_services_up", "setup.sh").returncode == 0
    assert policy.read_text() == "theirs"


@pytest.mark.usefixtures("as_root")
def test_a_private_folder_stays_private(tmp_path: Path) -> None:
    """Given a private folder that is copied for the workers, and an older copy with more in it.
    Expect the copy to be what the folder is now, for root and the workers' user alone."""
    private, copy = tmp_path / "private", tmp_path / "corpora/copy"
    (private / "sub").mkdir(parents=True)
    (private / "sub/a.txt").write_text("words")
    (private / "sub/a.txt").chmod(0o644)
    (private / "run.sh").touch(mode=0o700)
    private.chmod(0o700)
    copy.mkdir(parents=True)
    (copy / "another's").touch()
    quoted = f"{shlex.quote(str(private))} {shlex.quote(str(copy))}"
    script = f"worker=nogroup; corpora={copy.parent}; copy_privately {quoted}"
    done = bash(script, "setup.sh", "corpora.sh")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*")} == {
        "sub", "sub/a.txt", "run.sh",
    }  # fmt: skip
    for path in (copy, *copy.rglob("*")):
        assert (path.owner(), path.group()) == ("root", "nogroup")
        assert path.stat().st_mode & 0o027 == 0, path
    assert (copy / "sub/a.txt").read_text() == "words"
