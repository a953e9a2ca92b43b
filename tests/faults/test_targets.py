"""Choice of targets and checks of options, on an inventory that is only written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import commands, crash_worker, slow_worker, targets
from faults.registry import REGISTRY
from faults.targets import Selection
from provision.exit_codes import UsageError
from provision.inventory.model import Inventory
from tests.netns import write_inventory
from wc.worker.crash_points import NAMES


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return write_inventory(
        tmp_path / "lab.toml",
        {
            "cluster": {"name": "lab", "connection": "netns"},
            "redis": {"replication": "single"},
            "hosts": [{"name": f"h{n}", "address": f"198.18.0.{n}"} for n in (1, 2, 3)],
        },
    ).inventory


CHOICES = {
    "the first": (Selection(), ["h1 worker-0"]),
    "of a host": (Selection(host="h2"), ["h2 worker-0"]),
    "a number": (Selection(worker="1"), ["h1 worker-1"]),
    "a name": (Selection("h3", "worker-1"), ["h3 worker-1"]),
    "all of a host": (Selection("h3", every=True), ["h3 worker-0", "h3 worker-1"]),
    "one of each": (
        Selection(worker="1", every=True),
        ["h1 worker-1", "h2 worker-1", "h3 worker-1"],
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choice(inventory: Inventory, name: str) -> None:
    selection, expected = CHOICES[name]
    chosen, seed = targets.workers(inventory, selection)
    assert ([target.shown for target in chosen], seed) == (expected, None)


def test_chance_can_be_repeated(inventory: Inventory) -> None:
    first, seed = targets.workers(inventory, Selection(at_random=True))
    again = Selection(at_random=True, seed=str(seed))
    assert targets.workers(inventory, again) == (first, seed)
    seen = {
        targets.workers(inventory, Selection(at_random=True, seed=str(n)))[0][0].shown
        for n in range(64)
    }
    assert len(seen) == 6


REFUSED = {
    "--host: no host": Selection(host="h9"),
    "from 0 to 1": Selection(worker="2"),
    "--worker 'x'": Selection(worker="x"),
    "exclude each other": Selection(every=True, at_random=True),
    "with --random only": Selection(seed="1"),
    "--seed '-1'": Selection(at_random=True, seed="-1"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_choice_that_cannot_be_is_refused(inventory: Inventory, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        targets.workers(inventory, REFUSED[message])


def test_redis_is_where_redis_runs(inventory: Inventory) -> None:
    (chosen,), seed = targets.programs(inventory, "redis", Selection())
    assert (chosen.shown, seed) == ("h1 redis", None)
    with pytest.raises(UsageError, match="allowed are h1"):
        targets.programs(inventory, "redis", Selection(host="h2"))


def test_a_driver_by_chance(tmp_path: Path) -> None:
    hosts = [{"name": f"h{n}", "address": f"198.18.0.{n}"} for n in (1, 2, 3)]
    cluster = {"cluster": {"name": "lab", "connection": "netns"}, "hosts": hosts}
    inventory = write_inventory(tmp_path / "three.toml", cluster).inventory

    def shown(seed: int) -> str:
        selection = Selection(at_random=True, seed=str(seed))
        return targets.programs(inventory, "driver", selection)[0][0].shown

    assert {shown(n) for n in range(64)} == {"h1 driver", "h2 driver", "h3 driver"}
    assert shown(7) == shown(7)


@pytest.mark.parametrize(
    ("now", "percent", "limit"), [(80.0, 50.0, 40.0), (33.3, 25.0, 8.3), (1.2, 50.0, 1.0)]
)
def test_a_part_of_what_a_worker_gets(now: float, percent: float, limit: float) -> None:
    assert slow_worker.part(now, percent, 200) == limit


def test_crash_points_are_the_workers() -> None:
    """The command's list and the worker's, which know nothing of each other, are the same."""
    assert crash_worker.POINTS == NAMES


def test_every_fault_with_a_deadline_says_how_it_ends() -> None:
    assert commands.KINDS
    assert {name for name, fault in REGISTRY.items() if not fault.seconds} == {
        "kill-worker",
        "kill-redis",
        "kill-driver",
    }
    assert all(fault.ends.startswith("fab ") for fault in REGISTRY.values() if fault.seconds)
    assert all(fault.needs for fault in REGISTRY.values())
