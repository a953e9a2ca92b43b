"""What destroy does not remove, it says; what provision did not make, it does not touch."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from provision.host import namespaces
from tests.netns import TestCluster, netns_cluster, poll

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestCluster]:
    """Two provisioned hosts."""
    with netns_cluster(tmp_path_factory.mktemp("pair"), hosts=2) as cluster:
        cluster.fab("provision")
        yield cluster


def test_without_a_terminal_it_does_not_take_silence_for_yes(pair: TestCluster) -> None:
    before = pair.programs("h1")
    assert "add --yes" in pair.fab("destroy", code=2).stderr
    assert pair.programs("h1") == before


def test_a_host_that_left_the_inventory(pair: TestCluster) -> None:
    """Given a host that is taken out of the inventory. Expect provision to say that it goes on
    running, and destroy to find it, and to leave the others alone."""
    orphan = pair.folder("h2")
    pair.edit(lambda document: document["hosts"].pop())
    for _ in range(2):
        (note,) = pair.json("provision")["notes"]
        assert note.startswith("h2 (198.18.0.2) is of this cluster and not in the inventory")
    assert orphan.exists()
    answer = pair.json("destroy", "--orphans", "--yes")
    assert answer["hosts"].keys() == {"h2"}
    assert answer["hosts"]["h2"]["failed"] == 0
    assert not orphan.exists()
    assert f"fl-{pair.name}-h2" not in namespaces.of_cluster(pair.name)
    # Expect nothing to be known of it any more, and nothing to be left to do
    again = pair.json("provision")
    assert "notes" not in again
    assert [host["changed"] for host in again["hosts"].values()] == [0]
    assert pair.json("destroy", "--orphans", "--yes")["hosts"] == {}
    poll(lambda: pair.all_run("h1"))


def test_what_cannot_be_removed(pair: TestCluster) -> None:
    """Given something in a host's folder that cannot be removed. Expect destroy to say so and exit
    1, and once the cause is gone to know what is left as its own, and to remove it."""
    folder = pair.folder("h1")
    busy = folder / "jobs/busy"
    busy.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "faultline-test", busy], check=True)
    try:
        error = pair.json("destroy", "--yes", code=1)["hosts"]["h1"]["error"]
        assert "could not remove its folders and users" in error
        assert f"{busy}" in error
    finally:
        subprocess.run(["umount", busy], check=True)
    assert (folder / ".faultline").exists()
    pair.fab("destroy", "--yes")
    assert not folder.parent.exists()


def test_a_folder_that_provision_did_not_make(tmp_path: Path) -> None:
    """Given files of somebody else where a host's folder would be. Expect provision to refuse, and
    destroy to leave them alone and to say so."""
    with netns_cluster(tmp_path, hosts=1) as cluster:
        folder = cluster.folder("h1")
        made = next(path for path in (folder, *folder.parents) if path.parent.exists())
        (folder / "jobs").mkdir(parents=True)
        theirs = folder / "jobs/precious"
        theirs.write_text("mine")
        try:
            answer = cluster.json("provision", code=1)
            assert "provision did not make it" in answer["hosts"]["h1"]["error"]
            answer = cluster.json("destroy", "--yes", code=1)
            assert f"{folder} has no .faultline in it" in answer["hosts"]["h1"]["error"]
            assert theirs.read_text() == "mine"
        finally:
            shutil.rmtree(folder.parent)
            with suppress(OSError):  # other clusters have theirs in it
                made.rmdir()
