"""Hosts reached as a user who is not root, whose shell prints at every command, and whose sudo
warns: every command works as for root, and what a login prints is never taken for an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provision.connect.contract import ConnectionFailed
from tests.netns import TestCluster, poll, ssh_cluster
from tests.ssh_users import sudo_user

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Two hosts, h1 reached by a user of bash, h2 by one of tcsh."""
    folder = tmp_path_factory.mktemp("people")
    with ssh_cluster(folder, hosts=2) as cluster:
        key = (folder / "login.pub").read_text()
        with sudo_user("bash", key) as first, sudo_user("tcsh", key) as second:

            def name_users(document: dict) -> None:
                for host, user in zip(document["hosts"], (first, second), strict=True):
                    host["user"] = user

            cluster.edit(name_users)
            yield cluster
        # Whatever a failed test left is removed as root.
        cluster.edit(lambda document: [host.pop("user") for host in document["hosts"]])


@pytest.mark.parametrize("host", ["h1", "h2"])
def test_what_a_login_prints_is_no_output(people: TestCluster, host: str) -> None:
    """Given a shell that prints and a sudo that warns. Expect a command's own output alone."""
    script = "echo 'a\n!b'; echo \"c\" >&2; id -un; cat; exit 3"
    with people.connector(host) as connector:
        result = connector.run(script, stdin="in", check=False)
        assert (result.exit_code, result.stderr) == (3, "c\n")
        assert result.stdout == "a\n!b\nroot\nin"
        assert list(connector.stream("echo out; echo err >&2")) == ["out", "err"]
        long = "x" * 100_000
        assert connector.run(f"echo {long}", user="nobody").stdout == f"{long}\n"


def test_a_sudo_that_refuses_is_said_with_its_own_words(people: TestCluster) -> None:
    """Given a user whom sudo asks for a password. Expect sudo's words, and what to allow."""
    host = people.inventory.host("h1")
    with people.connector("h2") as root:
        rule = f"/etc/sudoers.d/{host.user}"
        root.run(f"mv {rule} {rule}.off")  # sudo reads no file with a dot in its name
        try:
            with people.connector("h1") as connector:
                for work in (
                    lambda: connector.run("true"),
                    lambda: list(connector.stream("true")),
                ):
                    with pytest.raises(ConnectionFailed, match=r"password is required.*NOPASSWD"):
                        work()
        finally:
            root.run(f"mv {rule}.off {rule}")


def test_everything_works_as_such_a_user(people: TestCluster) -> None:
    """Expect hosts provisioned, healthy in `status`, cut off and healed, slowed and released, and
    nothing left of them."""
    first = people.json("provision")
    assert all(host["failed"] == 0 for host in first["hosts"].values())
    second = people.json("provision")
    assert [host["changed"] for host in second["hosts"].values()] == [0, 0]
    for host in ("h1", "h2"):
        poll(lambda host=host: people.all_run(host))
    assert not any(host["error"] for host in people.json("status")["hosts"].values())
    people.fab("partition", "--groups", "h1|h2", "--for", "300")
    assert people.json("status")["faults"]
    people.fab("heal")
    people.fab("slow-worker", "--host", "h1", "--worker", "0", "--cpu", "20", "--for", "300")
    people.fab("restore-worker")
    assert people.json("status")["faults"] == []
    people.fab("destroy", "--yes")
    assert not people.folder("h1").parent.exists()
