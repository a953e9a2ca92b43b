"""The order of steps under cgroup v2, against a directory that enforces the kernel's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups.hierarchy import GroupError
from tests.cgroups.cgroup2 import Cgroup2

GROUP = "lab/h1/worker-0"


def test_without_systemd_the_base_is_below_the_root(tmp_path: Path) -> None:
    tree = Cgroup2(tmp_path)
    tree.enter(GROUP, 7)
    tree.set_limit(GROUP, 50)
    path = tmp_path / "faultline-lab/h1/worker-0"
    assert tree.path(GROUP) == path
    assert (path / "cpu.max").read_text() == "50000 100000"
    assert (tree.limit(GROUP), tree.pids(GROUP)) == (50, [7])
    for above in (tmp_path, path.parent.parent, path.parent):
        assert (above / "cgroup.subtree_control").read_text() == "cpu"
    tree.set_limit(GROUP, None)
    assert (path / "cpu.max").read_text() == "max 100000"
    assert tree.limit(GROUP) is None
    assert not tree.refused


def test_under_systemd_the_units_own_processes_make_room(tmp_path: Path) -> None:
    """Given a delegated unit with supervisord in it. Expect supervisord in a leaf, workers in
    groups beside it, and nothing touched above the unit."""
    tree = Cgroup2(tmp_path)
    unit = tmp_path / "system.slice/faultline-lab.service"
    tree._put(tmp_path / "cgroup.subtree_control", "+cpu")
    tree._mkdir(unit.parent)
    tree._put(unit.parent / "cgroup.subtree_control", "+cpu")
    tree._mkdir(unit)
    for pid in ("100", "101"):
        tree._put(unit / "cgroup.procs", pid)
    before = (unit.parent / "cgroup.subtree_control").read_text()
    for number, pid in ((0, 100), (1, 101)):
        tree.enter(f"lab/h1/worker-{number}", pid)
    tree._put(unit / "supervisord/cgroup.procs", "102")
    tree.set_limit(GROUP, 20)
    assert tree.pids(GROUP) == [100]
    assert (unit / "h1/worker-0/cpu.max").read_text() == "20000 100000"
    assert (unit / "supervisord/cgroup.procs").read_text() == "102"
    assert (unit / "cgroup.procs").read_text() == ""
    assert (unit.parent / "cgroup.subtree_control").read_text() == before
    assert not (tmp_path / "faultline-lab").exists()
    assert not tree.refused


def test_in_a_container_whose_group_only_looks_like_the_root(tmp_path: Path) -> None:
    """Given a container with a namespace of groups of its own, and processes in its group. Expect a
    rehearsal, as doctor makes it, to fail with what to do, and the container's group untouched."""
    tree = Cgroup2(tmp_path)
    (tmp_path / "cgroup.type").write_text("domain\n")
    (tmp_path / "cgroup.procs").write_text("1\n17")
    with pytest.raises(GroupError, match=r"of a container .* start the container with --cgroupns"):
        tree.rehearse("trial")
    assert (tmp_path / "cgroup.subtree_control").read_text() == ""
    assert (tmp_path / "cgroup.procs").read_text() == "1\n17"


def test_a_unit_that_has_become_threaded_is_put_right(tmp_path: Path) -> None:
    """Given a unit to which cpu was handed down with supervisord still in it, which the kernel
    allows, and then no group below it can hold processes. Expect it to be mended."""
    tree = Cgroup2(tmp_path)
    unit = tmp_path / "system.slice/faultline-lab.service"
    tree._put(tmp_path / "cgroup.subtree_control", "+cpu")
    tree._mkdir(unit.parent)
    tree._put(unit.parent / "cgroup.subtree_control", "+cpu")
    tree._mkdir(unit)
    tree._put(unit / "cgroup.procs", "100")
    tree._put(unit / "cgroup.subtree_control", "+cpu")
    tree.enter(GROUP, 100)
    assert tree.pids(GROUP) == [100]
    assert (unit / "cgroup.procs").read_text() == ""
    assert (unit / "cgroup.subtree_control").read_text() == "cpu"
    assert not tree.refused


def test_removal_is_leaf_first_and_spares_the_unit(tmp_path: Path) -> None:
    tree = Cgroup2(tmp_path)
    for number in range(2):
        tree.create(f"lab/h1/worker-{number}")
    tree.create("other/h1/worker-0")
    removed = [str(path.relative_to(tmp_path / "faultline-lab")) for path in tree.remove("lab/h1")]
    assert removed == ["h1/worker-0", "h1/worker-1", "h1", "."]
    assert (tmp_path / "faultline-other/h1/worker-0").is_dir()
    assert not tree.refused


def test_a_controller_that_is_not_there_is_named(tmp_path: Path) -> None:
    tree = Cgroup2(tmp_path, controllers="memory")
    with pytest.raises(GroupError, match=r"subtree_control: cannot write '\+cpu'"):
        tree.set_limit(GROUP, 50)
