"""scripts/vms: what it accepts. Starting machines is for people and slow checks: docs/vms.md."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
VMS = CHECKOUT / "scripts" / "vms"


def vms(*arguments: str, folder: str) -> subprocess.CompletedProcess[str]:
    """The script, with a folder of machines that is not the one people use."""
    return subprocess.run(
        [VMS, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"FAULTLINE_VMS": folder},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("help",), ("up", "--help")])
def test_help_names_every_command_and_what_is_installed(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    # Given no machines
    # If one asks for help, alone or with a command
    done = vms(*arguments, folder=str(tmp_path / "machines"))
    # Expect it on standard output, and nothing done
    assert done.returncode == 0
    for word in ("up ", "status ", "ssh NAME", "down ", "qemu-system-x86", "debootstrap"):
        assert word in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage: scripts/vms COMMAND"),
        (("fly",), "fly: no such command; there are up, status, ssh and down"),
        (("up", "--memory"), "--memory: needs a value"),
        (("up", "--memory", "much"), "--memory much: allowed is a whole number from 384 to 65536"),
        (("up", "--memory", "64"), "--memory 64: allowed is a whole number from 384 to 65536"),
        (("up", "--cpus", "0"), "--cpus 0: allowed is a whole number from 1 to 64"),
        (("up", "--cpus", "-1"), "--cpus -1: allowed is a whole number from 1 to 64"),
        (("up", "--accel", "xen"), "--accel xen: allowed are auto, kvm and tcg"),
        (("up", "--image"), "up: unknown option --image"),
        (("down", "--memory", "768"), "down: unknown option --memory"),
        (("status", "v1"), "status: unknown option v1"),
        (("ssh",), "ssh: which machine? v1 v2 v3"),
        (("ssh", "v9"), "no machine v9: there are v1 v2 v3"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_done(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    # Given no machines
    # If the arguments are wrong
    done = vms(*arguments, folder=str(tmp_path / "machines"))
    # Expect the value, what is allowed, exit code 2, and nothing made
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["machines", "/", "/var/lib/two words", '/tmp/"', "/tmp/x/"])
def test_a_folder_that_cannot_be_written_into_an_inventory_is_refused(folder: str) -> None:
    done = vms("status", folder=folder)
    assert done.returncode == 2
    assert f"FAULTLINE_VMS={folder}: an absolute path" in done.stderr


@pytest.mark.cluster
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_without_machines_status_ssh_and_down_say_so(tmp_path: Path) -> None:
    # Given a folder without machines
    folder = str(tmp_path / "machines")
    # If one asks after them
    status = vms("status", folder=folder)
    # Expect each named with its address, and exit code 1
    assert status.returncode == 1
    assert re.findall(r"^(v\d)  198\.18\.1\.(\d)  does not run$", status.stdout, re.M) == [
        ("v1", "1"),
        ("v2", "2"),
        ("v3", "3"),
    ]
    # If one logs in
    login = vms("ssh", "v2", "true", folder=folder)
    # Expect what to do
    assert login.returncode == 2
    assert "v2 does not run: scripts/vms up" in login.stderr
    # If one takes them down, expect no complaint and nothing left
    assert vms("down", folder=folder).returncode == 0
    assert not list(tmp_path.iterdir())
