"""Provisioning on real namespaces with real Redis and supervisord."""

from __future__ import annotations

import os
import pwd
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from provision.exclusive import exclusive
from provision.host import namespaces
from provision.host.redis_users import USERS
from tests.netns import TestCluster, netns_cluster, poll

pytestmark = pytest.mark.cluster
PORT = 6379
#: Of a host: supervisord, redis, driver, commands, repair and two workers.
PROCESSES = 7


def changed(answer: dict[str, dict[str, dict[str, int]]]) -> int:
    return sum(host["changed"] for host in answer["hosts"].values())


def machine() -> list[str]:
    """The machine's own network, which no cluster may change."""
    commands = ("ip addr show scope global", "ip route", "iptables-save -t filter")
    outputs = [subprocess.check_output(command.split(), text=True) for command in commands]
    return ["\n".join(line for line in out.splitlines() if line[:1] != "#") for out in outputs]


def redis_cli(cluster: TestCluster, host: str, user: str | None, command: str) -> str:
    """Speak to a host's Redis; the password goes by standard input."""
    lines = [command]
    if user is not None:
        secret = (cluster.folder(host) / "etc/secrets" / user).read_text()
        lines.insert(0, f"AUTH {user} {secret}")
    address = cluster.inventory.host(host).address
    done = cluster.connector(host).run(
        f"redis-cli -h {address} -p {PORT}", stdin="\n".join(lines) + "\n", check=False
    )
    return done.stdout


def secrets_of(cluster: TestCluster) -> list[str]:
    return [path.read_text() for path in (cluster.folder("h1") / "etc/secrets").iterdir()]


def test_second_run_changes_nothing(cluster: TestCluster) -> None:
    before = cluster.programs("h1")
    answer = cluster.json("provision")
    assert changed(answer) == 0
    assert set(answer["hosts"]) == {"h1", "h2", "h3"}
    assert cluster.programs("h1") == before


EDITS = {
    "redis.conf": {"redis"},
    "users.acl": {"redis"},
    "wc.json": {"driver", "repair", "workers:worker-0", "workers:worker-1"},
    "supervisord.conf": {
        "redis",
        "driver",
        "commands",
        "repair",
        "workers:worker-0",
        "workers:worker-1",
    },
}


@pytest.mark.parametrize("name", EDITS)
def test_edit_by_hand_is_put_right(cluster: TestCluster, name: str) -> None:
    """Given a file edited on h2. Expect --check --diff to show it and touch nothing, and the next
    run to put it right, restarting only what reads the file."""
    poll(lambda: cluster.all_run("h2"))
    before = cluster.programs("h2")
    path = cluster.folder("h2") / "etc" / name
    original = path.read_text()
    path.write_text(original + "\n# edited by hand\n")
    shown = cluster.fab("provision", "--check", "--diff").stdout
    assert f"change {path}" in shown
    assert ("-# edited by hand" in shown) == (name != "users.acl")
    assert "edited by hand" in path.read_text()
    assert cluster.programs("h2") == before
    answer = cluster.json("provision")
    assert path.read_text() == original
    assert answer["hosts"]["h1"]["changed"] == answer["hosts"]["h3"]["changed"] == 0
    poll(lambda: cluster.all_run("h2"))
    after = cluster.programs("h2")
    assert {program for program in before if before[program] != after[program]} == EDITS[name]
    assert changed(cluster.json("provision")) == 0


def test_stopped_program_is_started(cluster: TestCluster) -> None:
    folder = cluster.folder("h1")
    control = f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf"
    cluster.connector("h1").run(f"{control} stop workers:worker-1")
    assert "would    h1: start workers:worker-1" in cluster.fab("provision", "--check").stdout
    assert changed(cluster.json("provision", "--limit", "h1")) == 1
    poll(lambda: "workers:worker-1" in cluster.programs("h1"))


def test_killed_supervisord_is_started_again(cluster: TestCluster) -> None:
    """Given supervisord killed, its programs living on. Expect one set of programs after."""
    folder = cluster.folder("h3")
    os.kill(int((folder / "run/supervisord.pid").read_text()), signal.SIGKILL)
    cluster.fab("provision", "--limit", "h3")
    poll(lambda: cluster.all_run("h3"))
    namespace = cluster.inventory.namespace(cluster.inventory.host("h3"))
    poll(lambda: len(namespaces.pids([namespace])) == PROCESSES)
    assert changed(cluster.json("provision")) == 0


def test_a_namespace_removed_by_hand_is_made_again(cluster: TestCluster) -> None:
    """Given the namespace of h3 gone, its programs living on in what it was. Expect them to run in
    the new one, and nothing of them in the old."""
    before = cluster.programs("h3")
    namespace = cluster.inventory.namespace(cluster.inventory.host("h3"))
    subprocess.run(["ip", "netns", "del", namespace], check=True)
    cluster.fab("provision")
    poll(lambda: cluster.all_run("h3"))
    poll(lambda: len(namespaces.pids([namespace])) == PROCESSES)
    assert not [pid for pid in before.values() if Path(f"/proc/{pid}").exists()]
    assert changed(cluster.json("provision")) == 0


def test_damaged_data_of_redis_is_set_aside(cluster: TestCluster) -> None:
    """Given a checkpoint that Redis cannot read. Expect it kept under another name, and Redis to
    run without it."""
    folder = cluster.folder("h3")
    os.kill(cluster.programs("h3")["redis"], signal.SIGSTOP)  # it would save once more
    (folder / "redis/dump.rdb").write_bytes(b"no dump of anything")
    os.kill(cluster.programs("h3")["redis"], signal.SIGKILL)
    poll(lambda: "Wrong signature" in (folder / "log/redis.log").read_text())
    cluster.fab("provision", "--limit", "h3")
    poll(lambda: cluster.all_run("h3"))
    (aside,) = (folder / "redis").glob("dump.rdb.damaged-*")
    assert aside.read_bytes() == b"no dump of anything"
    assert changed(cluster.json("provision")) == 0


def test_redis_lets_in_only_whom_it_should(cluster: TestCluster) -> None:
    assert "NOAUTH" in redis_cli(cluster, "h1", None, "PING")
    assert "PONG" in redis_cli(cluster, "h1", "worker", "PING")
    for user in ("worker", "driver"):
        for command in ("FLUSHALL", "CONFIG GET *", "SHUTDOWN", "KEYS *", "ACL LIST"):
            assert "NOPERM" in redis_cli(cluster, "h1", user, command), (user, command)
    assert "NOPERM" in redis_cli(cluster, "h1", "driver", "SET elsewhere 1")
    assert "OK" in redis_cli(cluster, "h1", "driver", "SET {job}:probe 1")
    assert "OK" in redis_cli(cluster, "h1", "admin", "FLUSHALL")
    loopback = cluster.connector("h1").run(f"redis-cli -h 127.0.0.1 -p {PORT} PING", check=False)
    assert "Could not connect" in loopback.stdout + loopback.stderr


def test_no_secret_shows(cluster: TestCluster) -> None:
    values = secrets_of(cluster)
    assert len(set(values)) == len(USERS)
    places = [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]
    places += [path for path in cluster.folder("h1").rglob("*") if path.is_file()]
    for path in places:
        if path.parent.name == "secrets":
            assert path.stat().st_mode & 0o777 == 0o600
            continue
        try:
            content = path.read_bytes()
        except OSError:  # a process that has ended
            continue
        assert not any(value.encode() in content for value in values), path
    shown = cluster.fab("provision", "--check", "--diff").stdout
    assert not any(value in shown for value in values)


def test_hosts_share_secrets_and_a_lost_one_is_copied(cluster: TestCluster) -> None:
    before = secrets_of(cluster)
    (cluster.folder("h1") / "etc/secrets/worker").unlink()
    cluster.fab("provision", "--limit", "h1")
    assert sorted(secrets_of(cluster)) == sorted(before)
    lost = cluster.folder("h2") / "etc/secrets"
    assert sorted(path.read_text() for path in lost.iterdir()) == sorted(before)


def test_only_the_owner_reads_and_controls(cluster: TestCluster) -> None:
    user, folder = cluster.inventory.worker_user, cluster.folder("h1")
    run = cluster.connector("h1").run
    for path in ("etc/secrets/admin", "run/supervisor.sock", "etc/users.acl", "redis/dump.rdb"):
        assert run(f"cat {folder}/{path}", user=user, check=False).exit_code != 0, path
    for path in ("etc/secrets/worker", "etc/wc.json"):
        run(f"cat {folder}/{path}", user=user)
    python = f"{folder}/env/bin/python"
    run(f"{python} -c 'import wc.worker.daemon, redis, psutil'", user=user)
    assert (folder / "run/supervisor.sock").stat().st_mode & 0o777 == 0o700


def test_usage_errors_exit_2(cluster: TestCluster) -> None:
    assert "did you mean" in cluster.fab("provision", "--limit", "h11", code=2).stderr
    assert cluster.fab("logs", "--host", "h1", "--process", "no", code=2).stderr
    assert cluster.fab("logs", code=2).stderr
    assert cluster.fab("logs", "--host", "h1", "--process", "redis", "--lines", "1").stdout


def test_a_host_that_fails_stops_no_other(cluster: TestCluster) -> None:
    folder = cluster.folder("h2") / "jobs"
    folder.rename(folder.with_name("aside"))
    folder.write_text("in the way")
    try:
        answer = cluster.json("provision", code=1)
    finally:
        folder.unlink()
        folder.with_name("aside").rename(folder)
    assert [answer["hosts"][name]["failed"] for name in ("h1", "h2", "h3")] == [0, 1, 0]
    assert "move it away" in answer["hosts"]["h2"]["error"]


def test_two_runs_at_once_are_refused(cluster: TestCluster) -> None:
    with exclusive(cluster.name):
        assert "another provision" in cluster.fab("provision", code=2).stderr
        assert "another provision" in cluster.fab("destroy", "--yes", code=2).stderr
    assert cluster.all_run("h1")


def test_following_a_log_ends_with_the_command(cluster: TestCluster) -> None:
    command = cluster.command("logs", "--host", "h1", "--process", "redis", "--follow")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
    namespace = cluster.inventory.namespace(cluster.inventory.host("h1"))
    poll(lambda: len(namespaces.pids([namespace])) == PROCESSES)


def test_clusters_side_by_side_and_nothing_left(cluster: TestCluster, tmp_path: Path) -> None:
    """Given a cluster, and the machine's own network. If another one with the same addresses comes
    and goes, the first and the machine are as before, and of the second nothing is left."""
    before, network = cluster.programs("h1"), machine()
    with netns_cluster(tmp_path, hosts=1, redis={"replication": "single"}) as other:
        other.fab("provision")
        name = other.name
        assert machine() == network
        other.fab("destroy", "--yes")
        assert not namespaces.of_cluster(name)
        assert not other.folder("h1").parent.exists()
        assert not [user for user in pwd.getpwall() if user.pw_name.startswith(f"fl-{name}")]
        ours = f"/{name}/".encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            assert int(path.parent.name) == os.getpid() or ours not in _read(path)
        assert changed(other.json("destroy", "--yes")) == 0
    assert cluster.programs("h1") == before
    assert changed(cluster.json("provision")) == 0


SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


def interrupt(command: list[str], number: signal.Signals, seconds: float) -> None:
    """Send a signal to a command and what it started, as a terminal does, after a moment."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(seconds)  # the moment itself, not a wait for one
    if process.poll() is None:
        os.killpg(process.pid, number)
    # SIGTERM is taken as Ctrl-C is, once `fab` has begun.
    assert process.wait(120) in (0, -number, 128 + signal.SIGINT)


def test_interrupted_at_any_point_it_is_simply_run_again(tmp_path: Path) -> None:
    """Given provision and destroy interrupted at moments spread over their run, by each signal.
    Expect the next run to finish, and destroy after a half-finished one to leave nothing."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    with netns_cluster(tmp_path, hosts=2) as victim:
        provision, destroy = victim.command("provision"), victim.command("destroy", "--yes")
        late = ((0.4, 0.8), (0.8, 1.4), (1.4, 2.2))
        for number, (low, high) in zip(moments.sample(SIGNALS, 3), late, strict=True):
            interrupt(provision, number, moments.uniform(low, high))
        victim.fab("provision")
        assert changed(victim.json("provision")) == 0
        for number in moments.sample(SIGNALS, 3):
            interrupt(destroy, number, moments.uniform(0.5, 0.9))
        victim.fab("destroy", "--yes")
        assert not namespaces.of_cluster(victim.name)
        assert not victim.folder("h1").parent.exists()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
