"""The inventory is checked whole, and each problem says where it is and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toml

from provision.inventory.model import InventoryError, load

HOSTS = [{"name": "h1", "address": "198.18.0.1"}, {"name": "h2", "address": "198.18.0.2"}]
SSH = {"name": "lab", "connection": "ssh", "known_hosts": "known"}
NETNS = {"name": "lab", "connection": "netns"}


def write(folder: Path, document: dict[str, Any]) -> Path:
    (folder / "known").write_text("")
    (folder / "key").write_text("")
    path = folder / "inventory.toml"
    path.write_text(toml.dumps({"cluster": NETNS, "hosts": HOSTS} | document))
    return path


REFUSED = {
    "unknown table": ({"workrs": {}}, '[workrs]: unknown table: did you mean "workers"?'),
    "unknown key": (
        {"redis": {"prot": 1}},
        '[redis] prot: unknown key: did you mean "port"?',
    ),
    "port too large": (
        {"redis": {"port": 70000}},
        "[redis] port = 70000: allowed is an integer from 1 to 65535",
    ),
    "bool for a number": (
        {"redis": {"port": True}},
        "[redis] port = True: allowed is an integer",
    ),
    "text for a number": ({"workers": {"per_host": "2"}}, "[workers] per_host = '2': allowed"),
    "no cluster name": ({"cluster": {"connection": "netns"}}, "[cluster] name: missing"),
    "bad cluster name": ({"cluster": NETNS | {"name": "Lab"}}, "[cluster] name = 'Lab': allowed"),
    "cluster named like a user": (
        {"cluster": NETNS | {"name": "a-redis"}},
        "must not end in -redis",
    ),
    "workers as root": (
        {"workers": {"user": "root"}},
        '[workers] user = "root": workers run without privileges: name another',
    ),
    "workers as the user that has Redis' files": (
        {"workers": {"user": "fl-lab-redis"}},
        '[workers] user = "fl-lab-redis": the cluster makes that user',
    ),
    "raft": ({"redis": {"replication": "raft"}}, "not supported by this version"),
    "host twice": (
        {"hosts": [*HOSTS, {"name": "h1", "address": "198.18.0.3"}]},
        "[[hosts]] 3: name = 'h1': already used by host 1",
    ),
    "address twice": (
        {"hosts": [*HOSTS, {"name": "h3", "address": "198.18.0.2"}]},
        "[[hosts]] 3: address = '198.18.0.2': already used by host 2",
    ),
    "no address": ({"hosts": [{"name": "h1"}]}, "[[hosts]] h1: address: missing"),
    "not an address": (
        {"hosts": [{"name": "h1", "address": "198.18.0.300"}]},
        "[[hosts]] h1: address = '198.18.0.300': allowed is an IPv4 address",
    ),
    "outside the subnet": (
        {"hosts": [{"name": "h1", "address": "10.0.0.1"}]},
        "outside [cluster] subnet 198.18.0.0/24",
    ),
    "network address": (
        {"hosts": [{"name": "h1", "address": "198.18.0.0"}]},
        "is the network address",
    ),
    "broadcast address": (
        {"hosts": [{"name": "h1", "address": "198.18.0.255"}]},
        "is the broadcast address",
    ),
    "switch's address": (
        {"hosts": [{"name": "h1", "address": "198.18.0.254"}]},
        "is the switch address",
    ),
    "host named switch": (
        {"hosts": [{"name": "switch", "address": "198.18.0.1"}]},
        "reserved for the cluster's bridge",
    ),
    "no hosts": ({"hosts": []}, "[[hosts]]: missing"),
    "ssh key under netns": (
        {"hosts": [{"name": "h1", "address": "198.18.0.1", "port": 22}]},
        '[[hosts]] h1: port: allowed only with connection = "ssh"',
    ),
    "no identity file": (
        {"cluster": SSH, "hosts": [HOSTS[0] | {"identity_file": "none"}]},
        "[[hosts]] h1: identity_file = 'none': no such file",
    ),
    "no known_hosts": (
        {"cluster": SSH | {"known_hosts": "none"}},
        "[cluster] known_hosts = 'none': no such file",
    ),
    "one machine twice": (
        {"cluster": SSH, "hosts": [h | {"ssh_address": "10.0.0.1"} for h in HOSTS]},
        "[[hosts]] h2: is reached exactly like h1",
    ),
    "socket path too long": (
        {"cluster": SSH, "hosts": [HOSTS[0] | {"data": "/" + "d" * 80}]},
        "allowed are 100: choose a shorter data folder",
    ),
    "data with a quote": (
        {"cluster": SSH, "hosts": [HOSTS[0] | {"data": "/x'y"}]},
        "allowed is an absolute path",
    ),
    "quorum": (
        {"workers": {"write_quorum": 3}},
        "[workers] write_quorum = 3: allowed is an integer from 1 to 2",
    ),
    "quorum of a single": (
        {"workers": {"write_quorum": 2}, "redis": {"replication": "single"}},
        "from 1 to 1, the number of replicas",
    ),
    "size": ({"job": {"split_size": "16XB"}}, "[job] split_size = '16XB': allowed is"),
    "size where nothing is automatic": (
        {"repair": {"bytes_per_second": "auto"}},
        "[repair] bytes_per_second = 'auto': allowed is a number of bytes, or a size such as",
    ),
    "no bytes at all": ({"repair": {"bytes_per_second": 0}}, "[repair] bytes_per_second = 0: "),
    "repair in the past": (
        {"repair": {"interval_seconds": -1}},
        "[repair] interval_seconds = -1: allowed is an integer from 0 to 86400",
    ),
    "table is no table": ({"redis": 3}, "[redis]: is 3: allowed is a table of keys"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    document, expected = REFUSED[case]
    with pytest.raises(InventoryError) as caught:
        load(write(tmp_path, document))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"{tmp_path}/inventory.toml: ")
    assert expected in caught.value.problems[0]


def test_all_problems_at_once(tmp_path: Path) -> None:
    """Given three slips. Expect three lines, not one at a time."""
    document = {"redis": {"port": 0}, "workers": {"x": 1}, "job": {"top": -1}}
    with pytest.raises(InventoryError) as caught:
        load(write(tmp_path, document))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("text", ["[cluster", "a = ", "[[hosts]]\nname = 'a\n"])
def test_not_toml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InventoryError, match="not valid TOML"):
        load(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="no such file"):
        load(tmp_path / "none.toml")


def test_defaults_and_names(tmp_path: Path) -> None:
    inventory = load(write(tmp_path, {"job": {"split_size": "16MB"}}))
    host = inventory.host("h2")
    assert inventory.folder(host) == "/var/lib/faultline/lab/h2"
    assert inventory.namespace(host) == "fl-lab-h2"
    assert (inventory.worker_user, inventory.redis_user) == ("fl-lab", "fl-lab-redis")
    assert inventory.job.split_size == 16_000_000
    assert inventory.job.shared_files
    assert inventory.replicas == inventory.origins == inventory.hosts
    assert (inventory.repair.interval_seconds, inventory.repair.bytes_per_second) == (5, 8 << 20)
    assert inventory.repairing == inventory.hosts
    with pytest.raises(KeyError, match="did you mean"):
        inventory.host("h22")


def test_single_has_one_replica_and_ssh_shares_nothing(tmp_path: Path) -> None:
    document = {"cluster": SSH, "redis": {"replication": "single"}}
    inventory = load(write(tmp_path, document))
    assert [host.name for host in inventory.replicas] == ["h1"]
    assert inventory.repairing == ()
    assert not inventory.job.shared_files
    assert inventory.cluster.known_hosts == tmp_path / "known"


def test_the_inventories_we_ship(tmp_path: Path) -> None:
    """inventory.toml, and the example in docs/inventory.md, which needs its files to exist."""
    root = Path(__file__).parents[3]
    assert len(load(root / "inventory.toml").hosts) == 3
    example = (root / "docs/inventory.md").read_text().split("```toml\n")[1].split("```")[0]
    for name in ("known_hosts", "id_ed25519"):
        (tmp_path / name).write_text("")
    (tmp_path / "ssh.toml").write_text(example)
    assert load(tmp_path / "ssh.toml").cluster.connection == "ssh"
