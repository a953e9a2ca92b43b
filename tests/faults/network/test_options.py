"""Options of `fab partition`: what is chosen, and what is refused with what is allowed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from faults.network import topology
from faults.network.options import Shape, damage
from faults.network.partition import concerned
from provision.exit_codes import UsageError
from provision.inventory.model import Inventory
from tests.netns import write_inventory

HOSTS = ("h1", "h2", "h3")


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return written(tmp_path, 3)


def written(folder: Path, hosts: int, **tables: Any) -> Inventory:
    document = {
        "cluster": {"name": "options", "connection": "netns"},
        "hosts": [{"name": f"h{n}", "address": f"198.18.0.{n}"} for n in range(1, hosts + 1)],
        **tables,
    }
    return write_inventory(folder / "inventory.toml", document).inventory


REFUSED = [
    ({"isolate": "h9"}, "--isolate: no host 'h9': there are h1, h2, h3"),
    ({"isolate": ""}, "--isolate is empty"),
    ({"isolate": "h1", "ring": True}, "--isolate and --ring exclude each other"),
    ({"groups": "h1|h2"}, "--groups: h3 is in none"),
    ({"groups": "h1,h2,h3"}, "nothing would be cut"),
    ({"one_way": "h1"}, "allowed are pairs such as h1:h2"),
    ({"one_way": "h1:h1"}, "allowed are two different hosts"),
    ({"links": "h1:h4"}, "no host 'h4'"),
    ({"links": "h1:h2", "rate": "1mbit"}, "--links: allowed with --loss"),
    ({"seed": "4"}, "--seed: allowed with --random only"),
    ({"at_random": True, "seed": "x"}, "a whole number from 0"),
    ({"loss": "0"}, "from 0.01 to 100"),
    ({"loss": "all"}, "from 0.01 to 100"),
    ({"rate": "fast"}, "--rate 'fast': allowed are such as 1mbit"),
    ({"rate": "1mbit; reboot"}, "--rate"),
    ({"delay": "50"}, "--delay '50': allowed is a duration from 0.1ms to 30s: in seconds, or with"),
    ({"delay": "0ms"}, "--delay '0ms': allowed is a duration from 0.1ms"),
    ({"delay": "1m"}, "allowed is a duration from 0.1ms to 30s"),
    ({"jitter": "1ms"}, "--jitter: allowed with --delay only"),
]


@pytest.mark.parametrize(("shape", "message"), REFUSED)
def test_refused(inventory: Inventory, shape: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        damage(inventory, Shape(**shape))


def test_fewer_hosts_and_one_redis(tmp_path: Path) -> None:
    alone = written(tmp_path, 1)
    with pytest.raises(UsageError, match="no links to others"):
        damage(alone, Shape())
    assert damage(alone, Shape(links="h1:h1"))[0].links == {("h1", "h1")}
    with pytest.raises(UsageError, match="--ring needs at least 3"):
        damage(written(tmp_path, 2), Shape(ring=True))
    single = written(tmp_path, 3, redis={"replication": "single"})
    with pytest.raises(UsageError, match="h2 has no Redis: allowed are h1"):
        damage(single, Shape(links="h1:h2"))


def test_chosen(inventory: Inventory) -> None:
    """Expect the last host without a shape, the seed returned, and only hosts with a part in it."""
    found, words, seed = damage(inventory, Shape())
    assert (found.cuts, words, seed) == (topology.isolate(HOSTS, ["h3"]), "--isolate 'h3'", None)
    found, words, seed = damage(inventory, Shape(at_random=True))
    assert words == f"--random --seed {seed}"
    assert damage(inventory, Shape(at_random=True, seed=str(seed)))[0] == found
    parts = {
        "h2": Shape(one_way="h1:h2"),
        "h2 ": Shape(one_way="h1:h2", loss="5"),
        "h1": Shape(one_way="h1:h2", rate="1mbit"),
        "h1 h2": Shape(one_way="h1:h2", rate="1mbit", loss="5"),
        "h1 ": Shape(links="h1:h1,h1:h3"),
    }
    for names, shape in parts.items():
        hosts = concerned(inventory, damage(inventory, shape)[0])
        assert [host.name for host in hosts] == names.split()
