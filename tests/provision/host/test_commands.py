"""Commands of operations, run on this machine."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.host import operations
from provision.host.actions import Command
from provision.host.facts import Facts

LOCKED = """#!/bin/sh
# Fails as the real one does while another holds the lists' lock, twice.
echo "$*" >>calls
[ $(wc -l <calls) -gt 2 ] && exit 0
echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)' >&2
exit 100
"""


@pytest.fixture
def group() -> Iterator[str]:
    """A group without a user, as an earlier cluster may have left it."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    name = f"fl-{secrets.token_hex(4)}"
    subprocess.run(["groupadd", "--system", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=False, capture_output=True)
    subprocess.run(["groupdel", name], check=False, capture_output=True)


def create(name: str) -> subprocess.CompletedProcess[str]:
    (action,) = operations.cluster_user(Facts(), name, "faultline cluster test")
    assert isinstance(action, Command)
    return subprocess.run(["sh", "-c", action.command], capture_output=True, text=True, check=False)


def test_a_group_left_without_its_user_is_used(group: str) -> None:
    """Given a group of the name. Expect the user to be made with it."""
    assert create(group).returncode == 0
    assert pwd.getpwnam(group).pw_gid == grp.getgrnam(group).gr_gid


def test_a_group_with_members_is_not_given_away(group: str) -> None:
    """Given a group of the name that somebody is in. Expect a refusal that names both."""
    subprocess.run(["gpasswd", "-a", "nobody", group], check=True, capture_output=True)
    done = create(group)
    assert done.returncode != 0
    assert f"group {group}, with members nobody" in done.stderr


def test_apt_is_waited_for(tmp_path: Path) -> None:
    """Given lists that another apt has locked. Expect another try until it is done; any other error
    ends it at once."""
    program = tmp_path / "apt-get"
    program.write_text(LOCKED)
    program.chmod(0o755)

    def update() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", f"{operations.APT} apt update"],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert update().returncode == 0
    assert len((tmp_path / "calls").read_text().splitlines()) == 3
    program.write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    failed = update()
    assert failed.returncode != 0
    assert "Unable to locate" in failed.stderr
