"""Jobs that go on while hosts are cut off from each other, and end exact."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.support import admin, answer_of, applied, start, until
from tests.faults.wires import heal, partition
from tests.netns import TestCluster, netns_cluster

pytestmark = pytest.mark.cluster
HOSTS = ("h1", "h2", "h3")
FILES, FILE_BYTES = 6, 900_000
#: Splits that more are counted of while the partition is in force, and begin before it.
FEW = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    folder = tmp_path_factory.mktemp("jobs")
    with netns_cluster(folder, workers={"per_host": 1, "lease_seconds": 2}) as found:
        found.fab("provision")
        # Jobs take long enough to have a middle, on any machine.
        found.fab("slow-worker", "--all", "--cpu", "3", "--for", "600")
        yield found


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
    cluster: TestCluster, inputs: str, shape: dict[str, str]
) -> None:
    """Given a job of many splits, some counted. If hosts are cut off, some more are counted, and
    all is healed. Expect the job complete, and every count right on every replica."""
    job = f"through-{next(iter(shape))}"
    process = start(
        cluster, "--input", inputs, "--name", job, "--split-size", "32KiB", "--json"
    )  # fmt: skip
    clients = {host: admin(cluster, host) for host in HOSTS}

    def counted() -> int:
        """Of the most that any replica has of each origin."""
        return sum(max(applied(c, job, origin) for c in clients.values()) for origin in HOSTS)

    until(lambda: counted() >= FEW)
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
