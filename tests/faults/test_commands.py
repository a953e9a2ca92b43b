"""The fault commands on a real cluster: the effect, the end, and what is refused."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
from typing import Any

import pytest

from cgroups.detect import hierarchy
from faults import commands
from faults.crash_worker import POINTS
from faults.targets import Selection
from provision.exit_codes import UsageError
from tests.faults.worker import Worker, in_force, records, timers
from tests.netns import TestCluster, poll

pytestmark = pytest.mark.cluster
#: Longer than any test takes.
LONG = ("--for", "600")
LATE = 90  # what a loaded machine may add to a deadline, seconds


def test_slow_worker_measured_kept_and_restored(workers: list[Worker]) -> None:
    """Given 5 % for a worker. Expect that measured, the limit kept by a new process after a
    kill, and all as before after restore-worker, which may be said twice."""
    worker, cluster = workers[0], workers[0].cluster
    answer = cluster.json("slow-worker", "--cpu", "5", *LONG)
    assert [(one["host"], one["target"]) for one in answer["faults"]] == [("h1", "worker-0")]
    assert answer["measured"][0]["percent"] <= 8.75
    assert answer["measured"][0]["throttled"] > 0
    assert worker.limit == 5
    before = worker.pid
    assert cluster.json("kill-worker")["killed"][0]["pid"] == before
    poll(lambda: worker.pid not in (0, before))
    poll(lambda: hierarchy().pids(worker.group) == [worker.pid])
    assert worker.limit == 5
    healed = cluster.json("restore-worker", *worker.options)["healed"]
    assert len(healed) == 1
    assert worker.limit is None
    assert cluster.json("restore-worker")["healed"] == []
    poll(lambda: not timers(cluster.name), LATE)


def test_every_worker_is_in_its_own_group(workers: list[Worker]) -> None:
    user = pwd.getpwnam(workers[0].cluster.inventory.worker_user)
    for worker in workers:
        assert hierarchy().pids(worker.group) == [worker.pid]
        status = os.stat(f"/proc/{worker.pid}")
        assert (status.st_uid, status.st_gid) == (user.pw_uid, user.pw_gid)


def test_deadlines_end_two_faults_on_one_worker(workers: list[Worker]) -> None:
    """Given a worker both slow and paused. Expect both in status and doctor; and the pause, once it
    is made a short one, to end by itself without the other."""
    worker, cluster = workers[2], workers[2].cluster
    cluster.fab("slow-worker", "--cpu", "40", *LONG, *worker.options)
    said = cluster.fab("pause-worker", *LONG, *worker.options).stdout
    assert f"fab resume-worker --host {worker.host} --worker {worker.number}" in said
    assert worker.stopped
    assert worker.limit == 40
    expected = [("h2", "worker-0", "slow-worker"), ("h2", "worker-0", "pause-worker")]
    status = json.loads(cluster.fab("status", "--json").stdout)["faults"]
    seen = [(fault["host"], fault["target"], fault["fault"]) for fault in status]
    assert seen == expected
    assert 0 < status[0]["seconds_left"] <= 600
    found = [f for f in cluster.json("doctor")["findings"] if f["subject"] == "fault"]
    assert "limited to 40 %" in found[0]["text"]
    cluster.fab("pause-worker", "--for", "1", *worker.options)
    poll(lambda: not worker.stopped, 1 + LATE)
    assert worker.limit == 40
    cluster.fab("restore-worker")
    assert worker.sound
    poll(lambda: in_force(cluster) == [])  # a record goes a moment after its fault


def test_a_second_limit_restores_what_was_before_both(workers: list[Worker]) -> None:
    worker, cluster = workers[3], workers[3].cluster
    cluster.fab("slow-worker", "--cpu", "80", *LONG, *worker.options)
    cluster.fab("slow-worker", "--cpu", "20", "--for", "2", *worker.options)
    assert len(records(cluster)) <= 1
    poll(lambda: worker.limit is None, 2 + LATE)
    poll(lambda: not records(cluster), LATE)


def test_a_limit_relative_to_what_a_worker_gets(workers: list[Worker]) -> None:
    """Given a worker that gets 20 %. If it is slowed to half of that, expect half of what was
    measured as its limit, and no limit at the end."""
    worker, cluster = workers[3], workers[3].cluster
    cluster.fab("slow-worker", "--cpu", "20", *LONG, *worker.options)
    said = cluster.fab("slow-worker", "--to", "50%", *LONG, *worker.options).stdout
    now = float(re.search(r"gets ([0-9.]+) % of one core now", said)[1])  # type: ignore[index]
    assert worker.limit == pytest.approx(max(1.0, now / 2), abs=0.1)
    cluster.fab("restore-worker")
    assert worker.limit is None


def test_paused_killed_and_restarted(workers: list[Worker]) -> None:
    """Given a paused worker that is killed. Expect its successor to run, and resume-worker to
    signal nobody, twice."""
    worker, cluster = workers[1], workers[1].cluster
    before = worker.pid
    cluster.fab("pause-worker", *LONG, *worker.options)
    assert worker.state == "T"
    cluster.fab("kill-worker", *worker.options)
    poll(lambda: worker.pid not in (0, before))
    assert not worker.stopped
    assert len(cluster.json("resume-worker")["healed"]) == 1
    assert cluster.json("resume-worker")["healed"] == []
    assert worker.sound


def test_crash_worker_arms_and_disarms(workers: list[Worker]) -> None:
    worker, cluster = workers[2], workers[2].cluster
    arguments = ("crash-worker", "--at", "before-commit", *worker.options)
    cluster.fab(*arguments, "--probability", "0.25", *LONG)
    order = json.loads(worker.crash_file.read_text())
    assert order == {"at": "before-commit", "probability": 0.25, "once": False}
    assert worker.crash_file.owner() == cluster.inventory.worker_user
    poll(lambda: "crash point before-commit is armed" in worker.log, LATE)
    cluster.fab("crash-worker", "--off")
    assert worker.sound
    cluster.fab(*arguments, "--for", "1")
    poll(lambda: worker.sound and not records(cluster), 1 + LATE)


def test_all_and_random(workers: list[Worker]) -> None:
    cluster = workers[0].cluster
    answer = cluster.json("pause-worker", "--all", *LONG)
    assert len(answer["faults"]) == 4
    assert all(worker.stopped for worker in workers)
    assert len(cluster.json("resume-worker", "--all")["healed"]) == 4
    first = cluster.json("kill-worker", "--random")
    again = cluster.json("kill-worker", "--dry-run", "--random", "--seed", str(first["seed"]))
    assert again["seed"] == first["seed"]
    seen = cluster.fab("kill-worker", "--dry-run", "--random", "--seed", str(first["seed"])).stdout
    assert f"{first['killed'][0]['host']} {first['killed'][0]['target']}: would be" in seen


def test_kill_driver(cluster: TestCluster) -> None:
    before = cluster.programs("h1")["driver"]
    assert cluster.json("kill-driver", "--random")["killed"][0]["pid"] == before
    poll(lambda: cluster.programs("h1").get("driver", before) != before)


def test_kill_redis(cluster: TestCluster) -> None:
    before = cluster.programs("h1")["redis"]
    assert cluster.json("kill-redis")["killed"][0]["pid"] == before
    poll(lambda: cluster.programs("h1").get("redis", before) != before)
    assert "allowed are h1" in cluster.fab("kill-redis", "--host", "h2", code=2).stderr


COMMANDS = {
    "slow-worker": ("--cpu", "30"),
    "pause-worker": (),
    "crash-worker": ("--at", "after-claim"),
    "kill-worker": (),
    "kill-redis": (),
    "kill-driver": (),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_dry_run_changes_nothing(workers: list[Worker], command: str) -> None:
    cluster = workers[0].cluster
    before = cluster.programs("h1")
    said = cluster.fab(command, *COMMANDS[command], "--dry-run").stdout
    assert "would be" in said
    assert cluster.programs("h1") == before
    assert all(worker.sound for worker in workers)
    assert not records(cluster)
    poll(lambda: not timers(cluster.name), LATE)


MOST = 100 * (os.cpu_count() or 1)
REFUSED = [
    ("slow_worker", {"cpu": None}, "by one of --cpu 50"),
    ("slow_worker", {"to": "50%"}, "by one of --cpu 50"),
    ("slow_worker", {"cpu": None, "to": "100"}, "--to '100': allowed is a percentage from 1 to 99"),
    ("slow_worker", {"cpu": "0"}, "from 1 to"),
    ("slow_worker", {"cpu": "half"}, "from 1 to"),
    ("pause_worker", {"seconds": "0"}, "--for '0': allowed is a duration from 100ms to 24h"),
    ("pause_worker", {"selection": Selection(worker="2")}, "a whole number from 0 to 1"),
    ("kill_worker", {"selection": Selection(host="h9")}, 'no host "h9"'),
    ("crash_worker", {"at": "lunch"}, POINTS[0]),
    ("crash_worker", {"at": POINTS[0], "probability": "2"}, "from 0 to 1"),
    ("crash_worker", {"at": POINTS[0], "probability": "0.1", "once": True}, "exclude each other"),
    ("crash_worker", {"at": POINTS[0], "off": True}, "--off"),
]
CRASH = {"at": None, "once": False, "probability": None, "off": False}
DEFAULTS: dict[str, dict[str, Any]] = {
    "slow_worker": {"cpu": "50", "to": None, "seconds": None},
    "pause_worker": {"seconds": None},
    "crash_worker": {**CRASH, "seconds": None},
    "kill_worker": {},
}


@pytest.mark.parametrize(("command", "options", "message"), REFUSED)
def test_wrong_usage_is_refused(
    cluster: TestCluster, command: str, options: dict[str, Any], message: str
) -> None:
    given = {"selection": Selection(), "dry_run": False, "as_json": False, **DEFAULTS[command]}
    with pytest.raises(UsageError, match=re.escape(message)):
        getattr(commands, command)(str(cluster.path), **{**given, **options})
    assert not records(cluster)


def test_wrong_usage_exits_2(cluster: TestCluster) -> None:
    said = cluster.fab("slow-worker", "--cpu", str(MOST + 1), code=2).stderr
    assert f"from 1 to {MOST}" in said
    assert not records(cluster)


def test_a_worker_that_does_not_run_cannot_be_paused(workers: list[Worker]) -> None:
    """Given a stopped program. Expect exit 1, the reason, and no record."""
    worker, cluster = workers[1], workers[1].cluster
    folder = cluster.folder("h1")
    control = f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf"
    cluster.connector("h1").run(f"{control} stop workers:worker-1")
    try:
        said = cluster.fab("pause-worker", *worker.options, code=1).stderr
        assert "worker-1 does not run" in said
        assert not records(cluster)
    finally:
        cluster.connector("h1").run(f"{control} start workers:worker-1")


def test_a_fault_whose_timer_was_killed(workers: list[Worker]) -> None:
    """Given a killed timer. Expect doctor to call it a problem, and provision to end the fault."""
    worker, cluster = workers[0], workers[0].cluster
    cluster.fab("slow-worker", "--cpu", "40", *LONG, *worker.options)
    for pid in timers(cluster.name):
        os.kill(pid, signal.SIGKILL)
    findings = cluster.json("doctor", code=1)["findings"]
    found = [f for f in findings if f["subject"] == "fault"]
    assert found[0]["level"] == "problem"
    assert "fab provision" in found[0]["fix"]
    assert "end faults left behind" in cluster.fab("provision", "--limit", "h1").stdout
    assert worker.sound
    assert not records(cluster)


def test_supervisord_killed_and_the_deadline_is_kept(workers: list[Worker]) -> None:
    worker, cluster = workers[2], workers[2].cluster
    cluster.fab("pause-worker", "--for", "3", *worker.options)
    os.kill(int((cluster.folder("h2") / "run/supervisord.pid").read_text()), signal.SIGKILL)
    poll(lambda: not worker.stopped and not records(cluster), 3 + LATE)
    cluster.fab("provision", "--limit", "h2")
