"""SSH for real: an sshd in each namespace, its keys checked, the same provisioning through it."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from provision.connect.contract import CommandFailed, CommandTimedOut, ConnectionFailed
from provision.connect.hosts import Hosts
from provision.connect.ssh import GUARD
from provision.exclusive import exclusive_hosts
from provision.host.redis_users import USERS
from tests.netns import TestCluster, poll

pytestmark = pytest.mark.cluster


def running(text: str) -> bool:
    return subprocess.run(["pgrep", "-f", text], capture_output=True, check=False).returncode == 0


def test_unknown_host_key_is_refused(over_ssh: TestCluster) -> None:
    """Given a known_hosts without the host. Expect a refusal that tells how to accept the key."""
    known = over_ssh.path.with_name("known_hosts")
    original = known.read_text()
    known.write_text("")
    try:
        with pytest.raises(ConnectionFailed) as caught:
            over_ssh.connector("h1").run("true")
        answer = over_ssh.json("provision", code=1)
    finally:
        known.write_text(original)
    key = over_ssh.path.with_name("host_h1.pub")
    fingerprint = subprocess.check_output(["ssh-keygen", "-lf", key], text=True).split()[1]
    message = str(caught.value)
    assert fingerprint in message
    assert f"UserKnownHostsFile={known}" in message
    assert "198.18.0.1" in message
    assert "is not in" in answer["hosts"]["h2"]["error"]
    assert known.read_text() == original


def test_changed_host_key_is_refused(over_ssh: TestCluster) -> None:
    """Given another key in known_hosts. Expect both fingerprints, and ssh-keygen -R."""
    known = over_ssh.path.with_name("known_hosts")
    original = known.read_text()
    other = over_ssh.path.with_name("login.pub").read_text()
    known.write_text(f"198.18.0.1 {other}")
    try:
        with pytest.raises(ConnectionFailed) as caught:
            over_ssh.connector("h1").run("true")
    finally:
        known.write_text(original)
    assert "CHANGED" in str(caught.value)
    assert f"ssh-keygen -R 198.18.0.1 -f {known}" in str(caught.value)
    assert str(caught.value).count("SHA256:") == 2


def test_direct_connections_name_keyscan(over_ssh: TestCluster, tmp_path: Path) -> None:
    """Given a host without proxy_command that is not there. Expect address, port, what to check."""
    path = over_ssh.path.with_name("direct.toml")
    path.write_text(over_ssh.path.read_text())
    direct = TestCluster(path)

    def edit(document: dict) -> None:
        for host in document["hosts"]:
            del host["proxy_command"]
            host |= {"ssh_address": "127.0.0.1", "port": 1 + document["hosts"].index(host)}

    direct.edit(edit)
    with pytest.raises(ConnectionFailed, match=r"root@127\.0\.0\.1 port 1.*check that it is up"):
        direct.connector("h1").run("true")


def test_run_stream_put_get(over_ssh: TestCluster, tmp_path: Path) -> None:
    with over_ssh.connector("h1") as connector:
        result = connector.run("echo out; echo err >&2; exit 3", check=False)
        assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "err\n")
        with pytest.raises(CommandFailed, match=r"h1: exit 3 from `echo no >&2; exit 3`: no"):
            connector.run("echo no >&2; exit 3")
        assert connector.run("id -un; cat", user="nobody", stdin="in").stdout == "nobody\nin"
        content = os.urandom(3 << 20)
        connector.put(content, f"{tmp_path}/file", owner="nobody", mode=0o600)
        assert connector.get(f"{tmp_path}/file") == content
        assert connector.run(f"stat -c '%U %a' {tmp_path}/file").stdout == "nobody 600\n"
        assert list(tmp_path.iterdir()) == [tmp_path / "file"]
        big = connector.run("head -c 5000000 /dev/zero | tr '\\0' x >&2; echo done")
        assert (len(big.stderr), big.stdout) == (5_000_000, "done\n")


def test_nothing_outlives_its_connection(over_ssh: TestCluster) -> None:
    """Given commands cut short by time, by closing a stream, by closing the connection.
    Expect them killed on the host."""
    # Sleeps of a length that no other run of the tests has
    lengths = secrets.SystemRandom().sample(range(10**8, 10**9), 4)
    timed_out, fed, streamed, closed = (f"sleep {length}" for length in lengths)
    with over_ssh.connector("h1") as connector:
        with pytest.raises(CommandTimedOut):
            connector.run(f"{timed_out}; true", timeout=0.3)
        for content in ("", "short", "x" * 10_000_000):
            with pytest.raises(CommandTimedOut):
                connector.run(f"{fed}; true", stdin=content, timeout=0.3)
        lines = connector.stream(f"echo first; {streamed}; true")
        assert next(lines) == "first"
        poll(lambda: running(streamed))
        lines.close()
        errors: list[Exception] = []

        def wait() -> None:
            try:
                connector.run(f"{closed}; true")
            except ConnectionFailed as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        poll(lambda: running(closed))
    thread.join(60)
    assert len(errors) == 1
    poll(lambda: not any(map(running, (timed_out, fed, streamed, closed))))


@pytest.mark.parametrize("sent", ["", "mark 12 0 0\necho it", "mark 12 0 0\necho it runs"])
def test_a_connection_that_ends_before_the_command_is_there(sent: str) -> None:
    """If the connection ends before the whole command has arrived, expect it not to run."""
    done = subprocess.run(
        ["bash", "-c", GUARD], input=sent, stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (137, "")


def test_an_input_cut_short_is_never_taken_for_whole(tmp_path: Path) -> None:
    """If the connection ends within the command's input, expect it to be killed before it sees the
    end of that."""
    script = f"cat >{tmp_path}/part && mv {tmp_path}/part {tmp_path}/whole"
    sent = f"mark {len(script)} 100 0\n{script}\nonly the beginning"
    done = subprocess.run(
        ["setsid", "-w", "bash", "-c", GUARD],
        input=sent,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "whole").exists()


def test_another_controller_at_work_on_the_hosts(over_ssh: TestCluster) -> None:
    """Given a run on another machine, which has the same hosts but not this machine's lock. Expect
    a second one to be refused, with who it is, until the first has ended in whatever way."""
    locks = f"faultline-{over_ssh.name}-*.lock"
    inventory = over_ssh.inventory
    with Hosts(inventory) as cluster:
        with exclusive_hosts(cluster, list(inventory.hosts[1:])):
            for command in (("provision",), ("destroy", "--yes")):
                error = over_ssh.json(*command, code=2)["error"]["message"]
                assert re.match(r"h2: another provision or destroy .*, held by \w+ on ", error)
                assert f"{socket.gethostname()}, process " in error
        assert not list(Path("/run").glob(locks))
        with pytest.raises(KeyboardInterrupt), exclusive_hosts(cluster, list(inventory.hosts)):
            raise KeyboardInterrupt
    with Hosts(inventory) as cluster, exclusive_hosts(cluster, list(inventory.hosts)):
        pass
    assert not list(Path("/run").glob(locks))


def test_provision_over_ssh(over_ssh: TestCluster) -> None:
    """Given hosts behind sshd. Expect the same result as in namespaces: all programs run, the
    second run changes nothing, destroy leaves nothing, twice."""
    # A host that cannot be reached may have the passwords: none is made without asking it.
    known = over_ssh.path.with_name("known_hosts")
    original = known.read_text()
    known.write_text("".join(original.splitlines(keepends=True)[1:]))
    try:
        error = over_ssh.json("provision", code=2)["error"]["message"]
    finally:
        known.write_text(original)
    assert f"the password of {', '.join(USERS)} may be on h1" in error
    assert not over_ssh.folder("h2").exists()
    first = over_ssh.json("provision")
    assert all(host["failed"] == 0 for host in first["hosts"].values())
    second = over_ssh.json("provision")
    assert [host["changed"] for host in second["hosts"].values()] == [0, 0]
    for host in ("h1", "h2"):
        poll(lambda host=host: over_ssh.all_run(host))
    shown = over_ssh.fab("logs", "--host", "h1", "--process", "redis", "--lines", "500").stdout
    assert "Ready to accept connections" in shown
    over_ssh.fab("destroy", "--yes", "--limit", "h1")
    assert not over_ssh.folder("h1").exists()
    assert over_ssh.all_run("h2")
    over_ssh.fab("destroy", "--yes")
    assert not over_ssh.folder("h1").parent.exists()
    assert not running(f"/{over_ssh.name}/")
    again = over_ssh.json("destroy", "--yes")
    assert [host["changed"] for host in again["hosts"].values()] == [0, 0]
