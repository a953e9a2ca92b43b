"""ssh_config decides what the inventory leaves open; a key that cannot be used is named."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.connect import login_keys
from provision.connect.ssh_config import target
from provision.inventory.model import Host
from tests.netns import TestCluster

CONFIG = """
Include parts/*
Host two
    ProxyJump one,admin@b:2200
Match host 192.0.2.*
    HostKeyAlias box
"""
PART = """
Host one t*
    HostName 192.0.2.7
    Port 2222
    User ann
    IdentityFile ~/keys/%r
    IdentitiesOnly yes
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with an ssh_config."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh/parts").mkdir(parents=True)
    (tmp_path / ".ssh/config").write_text(CONFIG.replace("parts", f"{tmp_path}/.ssh/parts"))
    (tmp_path / ".ssh/parts/all").write_text(PART)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/ann").write_text("")
    target.cache_clear()
    yield tmp_path
    target.cache_clear()


def test_ssh_config_decides_what_the_inventory_leaves_open(home: Path) -> None:
    """Given patterns, an include, a match, tokens. Expect them all to hold, as for `ssh`."""
    reached = target(Host("h1", "10.0.0.1", ssh_address="one"))
    assert (reached.address, reached.port, reached.user) == ("192.0.2.7", 2222, "ann")
    assert (reached.keys, reached.agent) == ((f"{home}/keys/ann",), False)
    assert (reached.name, reached.proxy_command) == ("box", "")
    jump = target(Host("h2", "10.0.0.2", ssh_address="two")).proxy_command
    assert jump == "ssh -o BatchMode=yes -J one -W [192.0.2.7]:2222 ssh://admin@b:2200"
    plain = target(Host("h3", "10.0.0.3", ssh_address="10.0.0.3"))
    assert (plain.port, plain.user, plain.name, plain.agent) == (22, "root", "10.0.0.3", True)


def test_the_inventory_goes_before_ssh_config(home: Path) -> None:
    given = Host("h1", "10.0.0.1", "bob", 2200, ssh_address="two", proxy_command="nc %h %p")
    reached = target(given)
    assert (reached.user, reached.port, reached.proxy_command) == ("bob", 2200, "nc 192.0.2.7 2200")


def test_a_mistake_in_ssh_config_is_told_as_it_is(home: Path) -> None:
    (home / ".ssh/config").write_text("Host *\nNoSuchKey 1\n")
    with pytest.raises(ValueError, match="line 2: Bad configuration option: nosuchkey"):
        target(Host("h1", "10.0.0.1", ssh_address="one"))


@pytest.mark.cluster
def test_a_host_that_only_ssh_config_describes(over_ssh: TestCluster, home: Path) -> None:
    """Given an alias of ~/.ssh/config in place of address, key and proxy. Expect the host."""
    host = over_ssh.inventory.host("h1")
    (home / ".ssh/config").write_text(
        f"Host box\nHostName {host.address}\nIdentityFile {host.identity_file}\n"
        f"ProxyCommand {host.proxy_command}\nUser root\n"
    )
    alias = TestCluster(over_ssh.path.with_name("alias.toml"))
    alias.path.write_text(over_ssh.path.read_text())

    def edit(document: dict) -> None:
        for key in ("identity_file", "proxy_command"):
            del document["hosts"][0][key]
        document["hosts"][0]["ssh_address"] = "box"

    alias.edit(edit)
    with alias.connector("h1") as connector:
        assert connector.run("id -un").stdout == "root\n"


def make_key(folder: Path, passphrase: str = "") -> Path:
    path = folder / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def test_a_key_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = make_key(tmp_path, "secret")
    with pytest.raises(ValueError, match=rf"{path} has a passphrase: .*ssh-add {path}"):
        login_keys.load(str(path))
    with pytest.raises(ValueError, match=r"key.pub is a public key: name the private one"):
        login_keys.load(f"{path}.pub")
    (tmp_path / "text").write_text("no key")
    with pytest.raises(ValueError, match="text is no private key"):
        login_keys.load(str(tmp_path / "text"))


def test_a_key_that_the_agent_has_is_used_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a key with a passphrase, or only its public half, and an agent that has it. Expect the
    agent's."""
    path = make_key(tmp_path)
    socket = tmp_path / "agent"
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, text=True
    ) as agent:
        try:
            assert agent.stdout is not None
            agent.stdout.readline()  # it listens
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            subprocess.run(["ssh-add", "-q", path], check=True)
            subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", path], check=True)
            for given in (path, f"{path}.pub"):
                key = login_keys.load(str(given))
                assert key.get_base64() == Path(f"{path}.pub").read_text().split()[1]
        finally:
            agent.terminate()
