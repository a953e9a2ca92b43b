"""Files that change after they were counted: update, retract, and the proof of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from control.deal_files import FILES_PER_SPLIT, MANY
from tests.end_to_end.support import count_of
from tests.netns import TestCluster

pytestmark = pytest.mark.cluster


def texts(folder: Path) -> Counter[str]:
    return Counter(" ".join(path.read_text() for path in folder.rglob("*.txt")).split())


def test_update_and_retract(cluster: TestCluster, folder: Path) -> None:
    # Given a job over a few files
    for number in range(9):
        (folder / f"{number}.txt").write_text(f"same words in all, and number {number} " * 50)
    glob = f"{folder}/*.txt"
    cluster.fab("start-job", "--input", glob, "--name", "living", "--top", "0")
    # If one is changed, one deleted, two are new
    (folder / "1.txt").write_text("quite another text " * 70)
    (folder / "2.txt").unlink()
    for name in ("10.txt", "11.txt"):
        (folder / name).write_text("a new one")
    assert "--update --name living" in cluster.fab("verify", "--job", "living", code=2).stdout
    answer = cluster.json("start-job", "--update", "--name", "living", "--top", "0")
    # Expect exactly these to be counted and retracted, and the proof to hold
    changes = {
        "new": 2,
        "changed": 1,
        "deleted": 1,
        "retracted": 0,
        "counted": 3,
        "retracted_splits": 2,
    }
    assert answer["files"] == changes
    assert answer["words"] == []
    assert cluster.json("verify", "--job", "living")["verdict"] == "valid"
    assert count_of(cluster.json("top", "--job", "living", "--limit", "0")) == texts(folder)
    # If it is looked at again, nothing is new
    again = cluster.fab("start-job", "--update", "--name", "living", "--top", "0").stdout
    assert "no file is new, changed or deleted" in again
    # If files are retracted that are not there any more
    (folder / "10.txt").unlink()
    (folder / "11.txt").unlink()
    said = cluster.fab("retract", "--input", f"{folder}/1?.txt", "--job", "living").stdout
    assert "2 retracted files" in said
    assert cluster.json("verify", "--job", "living")["verdict"] == "valid"
    assert cluster.json("top", "--job", "living", "--repair")["repair"]["missing"] == 0


def test_files_that_share_splits(cluster: TestCluster, folder: Path) -> None:
    # Given so many small files on each origin that they share splits
    number = MANY * len(cluster.inventory.hosts)
    for at in range(number):
        (folder / f"{at:05}.txt").write_text(f"number{at:05} is {at % 50:02}")
    made = cluster.json(
        "start-job", "--input", f"{folder}/*.txt", "--name", "sharing", "--top", "all"
    )
    assert made["total"] == 3 * -(-MANY // FILES_PER_SPLIT)
    assert count_of(made) == texts(folder)
    # If one file is changed, one deleted (of another origin, as they are dealt in turn), one new
    (folder / "00000.txt").write_text("quite another text")
    (folder / "00001.txt").unlink()
    (folder / "new.txt").write_text("a new one")
    answer = cluster.json("start-job", "--update", "--name", "sharing", "--top", "all")
    # Expect two splits to be retracted; their other files, the changed and the new to be counted
    changes = {
        "new": 1,
        "changed": 1,
        "deleted": 1,
        "retracted": 0,
        "counted": 4,
        "retracted_splits": 2,
    }
    assert answer["files"] == changes
    assert count_of(answer) == texts(folder)
    # If some files of three shared splits are retracted
    said = cluster.fab("retract", "--input", f"{folder}/0060[1-9].txt", "--job", "sharing").stdout
    assert "9 retracted files: 3 splits to count, 3 splits to retract" in said
    for at in range(601, 610):
        (folder / f"{at:05}.txt").unlink()
    # Expect the others to stay counted
    assert cluster.json("verify", "--job", "sharing")["verdict"] == "valid"
    assert count_of(cluster.json("top", "--job", "sharing", "--limit", "0")) == texts(folder)


WRONG = {
    "no name": (("start-job", "--update"), "--name"),
    "unknown job": (("start-job", "--update", "--name", "unheard-of"), "no job 'unheard-of'"),
    "no input": (("retract",), "--input"),
    "no match": (("retract", "--input", "/no/such*", "--job", "living"), "no file that matches"),
    "quorum": (("start-job", "--input", "/x", "--write-quorum", "4"), "from 1 to 3"),
    "without whom": (("verify", "--without", "h9"), "h1, h2, h3"),
    "without all": (("verify", "--without", "h1,h2,h3"), "at least one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(cluster: TestCluster, case: str) -> None:
    words, message = WRONG[case]
    done = cluster.fab(*words, code=2)
    assert message in done.stdout + done.stderr
