"""cgroup v1 on this machine's own kernel: shares measured, groups kept, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgroups import enter
from cgroups.detect import hierarchy
from cgroups.hierarchy import GroupError, Hierarchy, Unusable
from cgroups.probe import probe
from tests.netns import poll, unique_name

MODULE = [sys.executable, "-I", "-m", "cgroups"]
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def tree() -> Hierarchy:
    """The machine's hierarchy. Skips on a laptop without; in CI a missing part is a failure."""
    try:
        tree = hierarchy()
    except Unusable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return tree


@pytest.fixture
def cluster(tree: Hierarchy) -> Iterator[str]:
    """The name of a cluster of groups; nothing of it is left, whatever the test did."""
    name = unique_name()
    yield name
    tree.remove(f"{name}/h1")
    assert not tree.base(name).exists()


def run(*arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "cgroups", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_limited_group_gets_its_share(tree: Hierarchy, cluster: str) -> None:
    """Given 5 % of a core. Expect CPU seconds to be no more of the clock than that, and more
    again once the limit is gone. Others work on this machine, so less is no failure."""
    group = f"{cluster}/h1/worker-0"
    tree.set_limit(group, 5)
    limited = probe(tree, group, 1.5)
    assert limited.limit == 5
    assert 1.5 <= limited.share <= 8.75
    assert limited.throttled > 0
    tree.set_limit(group, None)
    free = probe(tree, group, 1.0)
    assert (free.limit, free.throttled) == (None, 0)
    assert free.share > 1.3 * limited.share
    assert not tree.pids(group)


def test_what_is_executed_is_inside_and_unprivileged(tree: Hierarchy, cluster: str) -> None:
    """Given `exec` with a user. Expect the command, and what it forks, in the group from its
    first instruction on, under the same process id, without root."""
    group = f"{cluster}/h1/worker-0"
    shell = "cat /proc/self/cgroup; id -u; id -G; echo $$; read wait"
    command = [sys.executable, "-m", "cgroups", "exec", "--group", group, "--user", "nobody"]
    with subprocess.Popen(
        [*command, "--", "sh", "-c", shell],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip()]
        while "/" in lines[-1]:
            lines.append(process.stdout.readline().strip())
        groups, pid = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert any(line.endswith(f"/faultline-{group}") for line in lines)
        assert (lines[-1], groups, int(pid)) == ("65534", "65534", process.pid)
        assert tree.pids(group) == [process.pid]
        process.kill()
    poll(lambda: not tree.pids(group))


def test_the_limit_is_the_groups(tree: Hierarchy, cluster: str) -> None:
    """Given a limit on a group. If its process ends and another enters. Expect the same limit,
    also set before the first one came."""
    group = f"{cluster}/h1/worker-0"
    assert run("get", group) == "max\n"
    run("set", group, "37.5")
    for _ in range(2):
        run("exec", "--group", group, "--", "true")
        assert run("get", group) == "37.5\n"
    run("set", group, "max")
    assert tree.limit(group) is None


def test_remove_takes_only_the_hosts_groups(tree: Hierarchy, cluster: str) -> None:
    for host in ("h1", "h2"):
        tree.create(f"{cluster}/{host}/worker-0")
    removed = tree.remove(f"{cluster}/h2")
    assert [path.name for path in removed] == ["worker-0", "h2"]
    assert tree.path(f"{cluster}/h1/worker-0").is_dir()
    assert tree.remove(f"{cluster}/h2") == []


def test_a_group_in_use_is_not_removed(tree: Hierarchy, cluster: str) -> None:
    group = f"{cluster}/h1/worker-0"
    with subprocess.Popen(["sleep", "60"]) as process:
        tree.enter(group, process.pid)
        try:
            with pytest.raises(GroupError, match="still in use"):
                tree.remove(group)
        finally:
            process.kill()


@pytest.mark.parametrize("typed", ["0", "0.9", "100000", "-5", "fast", "nan", ""])
def test_limits_out_of_range_are_refused(cluster: str, tree: Hierarchy, typed: str) -> None:
    said = run("set", f"{cluster}/h1/worker-0", typed, code=2)
    assert f"1 to {100 * (os.cpu_count() or 1)} percent of one core" in said


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/a", "a//b", "a/b/", "A"])
def test_names_that_lead_elsewhere_are_refused(tree: Hierarchy, name: str) -> None:
    with pytest.raises(GroupError, match="allowed are names"):
        tree.path(name)


def test_without_control_groups_the_program_runs_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Given a machine that mounts none. Expect one line that says so, and no exception."""
    mounts = tmp_path / "mounts"
    mounts.write_text("tmpfs /run tmpfs rw 0 0\n")
    monkeypatch.setattr(enter, "hierarchy", lambda: hierarchy(mounts))
    assert enter.enter("lab/h1/worker-0") is False
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be slowed down" in said


def test_the_version_is_found_by_what_is_mounted(tmp_path: Path) -> None:
    """Given mounts of a hybrid machine, of a v2 one, of one whose v2 lacks the controller."""
    v2 = tmp_path / "v2"
    v2.mkdir()
    controllers, mounts = v2 / "cgroup.controllers", tmp_path / "mounts"
    controllers.write_text("memory pids\n")
    mounts.write_text(f"cgroup {tmp_path}/c cgroup rw,cpu,cpuacct 0 0\ncgroup2 {v2} cgroup2 rw\n")
    assert (hierarchy(mounts).version, hierarchy(mounts).root) == (1, tmp_path / "c")
    mounts.write_text(f"cgroup x cgroup rw,memory 0 0\ncgroup2 {v2} cgroup2 rw 0 0\n")
    with pytest.raises(Unusable):
        hierarchy(mounts)
    controllers.write_text("cpu memory\n")
    assert (hierarchy(mounts).version, hierarchy(mounts).root) == (2, v2)


def test_a_rehearsal_leaves_nothing(tree: Hierarchy) -> None:
    name = unique_name()
    assert run("rehearse", name) == ""
    assert not tree.base(name).exists()
