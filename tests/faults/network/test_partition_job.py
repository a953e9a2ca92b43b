"""Jobs that go on while hosts are cut off from each other, and end exact.

Workers stand still while a partition begins, so that it is in force before the next split is
counted: it begins in the middle of the job on a machine of any speed.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from control import verify as proof
from control.cluster import Cluster
from control.jobs import job_progress
from control.read_repair import read_repair
from faults.network import orders as partition_orders
from faults.network import topology
from faults.network.partition import Damage
from provision.connect.hosts import Hosts
from tests.end_to_end.support import (
    SMALL,
    admin,
    answer_of,
    applied,
    begin,
    start,
    stopped,
    until,
    workers,
)
from tests.faults.network.wires import heal, partition
from tests.netns import TestCluster, netns_cluster

pytestmark = pytest.mark.cluster
HOSTS = ("h1", "h2", "h3")
FILES, FILE_BYTES = 6, 900_000
#: Splits that more are counted of while the partition is in force, and begin before it.
FEW = 3
#: Partitions during one job, and the seed of those by chance.
MANY, SEED = 20, 11


def named(cuts: topology.Cuts) -> str:
    """As `fab partition --one-way` takes it: h1:h2,h3:h1."""
    return ",".join(f"{a}:{b}" for a, b in sorted(cuts))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    folder = tmp_path_factory.mktemp("jobs")
    with netns_cluster(folder, workers={"per_host": 1, "lease_seconds": 2}) as found:
        found.fab("provision")
        # Jobs take long enough to have a middle, on any machine.
        found.fab("slow-worker", "--all", "--cpu", "3", "--for", "86400")
        yield found


@pytest.fixture(scope="module")
def running(cluster: TestCluster) -> list[int]:
    """The workers' process ids. To ask for them takes longer than some jobs."""
    return workers(cluster)


@pytest.fixture(scope="module")
def inputs() -> Iterator[str]:
    """Some 5 MB of words, in a folder that the workers' user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="faultline-", dir="/var/tmp"))
    folder.chmod(0o755)
    chance = random.Random(7)
    words = [f"word{n}" for n in range(5000)]
    for number in range(FILES):
        text = " ".join(chance.choices(words, k=FILE_BYTES // 8))
        (folder / f"{number}.txt").write_text(text)
    yield f"{folder}/*.txt"
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "shape",
    [{"isolate": "h2"}, {"links": "h1:h1,h1:h3"}],
    ids=lambda shape: next(iter(shape)),
)
def test_a_job_through_a_partition(
    cluster: TestCluster, running: list[int], inputs: str, shape: dict[str, str]
) -> None:
    """Given a job of many splits, some counted. If hosts are cut off, some more are counted, and
    all is healed. Expect the job complete, and every count right on every replica."""
    job = f"through-{next(iter(shape))}"
    process = start(
        cluster, "--input", inputs, "--name", job, "--split-size", "4KiB", "--json"
    )  # fmt: skip
    counted = counter(cluster, job)
    until(lambda: counted() >= FEW)
    with stopped(running):
        partition(cluster, **shape)
        before = counted()
    until(lambda: counted() >= before + FEW or process.poll() is not None)
    assert process.poll() is None, "the job ended before the partition did"
    assert heal(cluster)["reachable"]
    answer = answer_of(process)
    assert answer["complete"]
    verdict = cluster.json("verify", "--job", job)
    assert verdict["verdict"] == "valid"
    assert sorted(verdict["replicas"]) == list(HOSTS)


def counter(cluster: TestCluster, job: str) -> Callable[[], int]:
    """How many splits are applied: of each origin the most that any replica has."""
    clients = {host: admin(cluster, host) for host in HOSTS}
    return lambda: sum(max(applied(c, job, origin) for c in clients.values()) for origin in HOSTS)


def require_exact(hosts: Cluster, spec: dict[str, object]) -> None:
    """The job ends complete, and every replica has every count, merged and published."""
    outcomes = job_progress.follow(hosts, spec, lambda _: None).outcomes
    assert all(outcomes[host]["complete"] for host in HOSTS)
    verdict = proof.verify(hosts, str(spec["name"]), 10, lambda _: None)
    assert (verdict["verdict"], verdict["reason"]) == ("valid", "")
    assert sorted(verdict["replicas"]) == list(HOSTS)


@pytest.mark.parametrize("cuts", topology.classes(HOSTS), ids=named)
def test_every_kind_of_cut(
    cluster: TestCluster, running: list[int], inputs: str, cuts: topology.Cuts
) -> None:
    """Given a job in its middle. If packets are lost from some hosts to some others, in one of the
    15 ways there are but for the hosts' names, more splits are counted, and all is healed and
    repaired. Expect every count right on every replica, and nothing left to repair."""
    job = "cut-" + named(cuts).replace(":", "").replace(",", "-")
    counted = counter(cluster, job)
    with Cluster(cluster.inventory) as hosts:
        spec = begin(hosts, inputs.replace("*", "0"), job)
        until(lambda: counted() >= FEW)
        with stopped(running):
            before = counted()
            assert before < FILE_BYTES // SMALL - FEW, "the job was over before it was cut"
            partition(cluster, one_way=named(cuts))
        until(lambda: counted() >= before + FEW)
        assert heal(cluster)["reachable"]
        require_exact(hosts, spec)
        assert read_repair(hosts, job, [], [], check=False)["converged"]


def test_twenty_partitions_during_one_job(
    cluster: TestCluster, running: list[int], inputs: str
) -> None:
    """Given a long job. If it is partitioned twenty times, each host alone in turn and by chance,
    with splits counted in each partition and between any two. Expect exact counts; and of two read
    repairs the second to find and copy nothing."""
    job = "twenty"
    counted = counter(cluster, job)
    with Cluster(cluster.inventory) as hosts, Hosts(cluster.inventory) as links:
        spec = begin(hosts, inputs, job)
        until(lambda: counted() >= FEW)
        for number in range(MANY):
            alone = topology.isolate(HOSTS, [HOSTS[number // 2 % len(HOSTS)]])
            cuts = alone if number % 2 else topology.at_random(HOSTS, SEED + number)
            print(f"partition {number}: {named(cuts)}")
            orders = partition_orders.orders(cluster.inventory, Damage(cuts), 60)
            for change in (partition_orders.begin, partition_orders.end):
                with stopped(running):
                    assert not change(links, orders)
                    before = counted()
                assert before < FILES * FILE_BYTES // SMALL - FEW, "the job was over too early"
                until(lambda least=before + FEW: counted() >= least)
        require_exact(hosts, spec)
    assert cluster.json("read-repair", "--job", job)["converged"]
    again = cluster.json("read-repair", "--job", job)
    assert (again["missing"], again["copied"]) == (0, 0)
