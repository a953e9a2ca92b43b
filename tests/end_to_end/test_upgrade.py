"""A cluster that an older version provisioned, upgraded by `fab provision` in the middle of a job.

The old version is a tree out of this repository's own history (upgrade_from.txt); what it wrote on
disks and into Redis is what the new version must read.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from provision.host import namespaces
from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import (
    admin,
    applied,
    count_of,
    host_names,
    job_files,
    same,
    stopped,
    until,
    workers,
)
from tests.netns import CHECKOUT, TestCluster, netns_cluster
from wc.backends.redis.keys import JobKeys

pytestmark = pytest.mark.cluster
FINISHED, UNFINISHED, REFUSED = "finished", "unfinished", "refused"
COPIES = 2


def old_commit() -> str:
    lines = (Path(__file__).with_name("upgrade_from.txt")).read_text().splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")][-1]


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    # With sudo the checkout may belong to somebody else, which git refuses by default.
    command = ["git", "-c", "safe.directory=*", "-C", str(CHECKOUT), *words]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.fixture
def old_tree(tmp_path: Path) -> Path:
    """The old commit's files. Without the history: a failure in CI, a skip on a laptop."""
    commit = old_commit()
    archive = git("archive", "--format=tar", commit)
    if archive.returncode != 0:
        reason = (
            f"no commit {commit} here ({archive.stderr.decode().strip()}): git fetch --unshallow"
        )
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    tree = tmp_path / "old"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
    return tree


def exists(cluster: TestCluster, job: str, key: str) -> bool:
    """Whether a job's key of every origin is on every replica."""
    names = host_names(cluster)
    keys = [getattr(JobKeys(job), key)(origin) for origin in names]
    return all(admin(cluster, host).exists(*keys) == len(keys) for host in names)


def texts(folder: Path) -> Counter[str]:
    return Counter(" ".join(path.read_text() for path in folder.iterdir()).split())


def dead(cluster: TestCluster, job: str) -> bytes:
    return b" ".join(admin(cluster, "h1").hvals(JobKeys(job).dead))  # type: ignore[arg-type]


def test_upgrade_in_the_middle_of_a_job(
    old_tree: Path, bible: Corpus, folder: Path, tmp_path: Path
) -> None:
    inputs = {name: folder / name for name in (FINISHED, UNFINISHED, REFUSED)}
    for path in inputs.values():
        path.mkdir(mode=0o755)
    with netns_cluster(
        tmp_path, workers={"per_host": 1, "lease_seconds": 2}, redis={"compact_after": 1}
    ) as new:
        # Given a cluster of the old version
        old = replace(new, checkout=old_tree)
        old.fab("provision")
        # ... two jobs that have ended, of which one has every split inside a base, and one file
        # retracted; and a job with a split that was given up
        for job in (FINISHED, UNFINISHED):
            for file in bible.files[:6]:
                (inputs[job] / file.name).write_bytes(file.read_bytes())
            count(old, job, inputs[job])
            until(lambda job=job: exists(old, job, "base"))
        old.fab("retract", "--input", f"{inputs[FINISHED]}/0.txt", "--job", FINISHED)
        (inputs[FINISHED] / "0.txt").unlink()
        (inputs[REFUSED] / "0.txt").write_bytes(b"not UTF-8: \xff")
        (inputs[REFUSED] / "1.txt").write_bytes(b"words that are counted")
        count(old, REFUSED, inputs[REFUSED], code=1)
        # ... and the other of the two in the middle of a revision, its workers slowed: a base, a
        # retracted dot inside it, deltas, claims, and a fault in force
        (inputs[UNFINISHED] / "0.txt").unlink()
        for copy in range(COPIES):
            for file in bible.files:
                (inputs[UNFINISHED] / f"{copy}-{file.name}").write_bytes(file.read_bytes())
        slow, client = workers(old), admin(old, "h2")
        old.fab("slow-worker", "--all", "--cpu", "1", "--for", "3600")
        before = applied(client, UNFINISHED, "h2")
        # They stand still while it is started, which takes longer than some of its splits.
        with stopped(slow):
            old.fab("start-job", "--update", "--name", UNFINISHED, "--no-wait")
        until(lambda: applied(client, UNFINISHED, "h2") > before)
        environment = (old.folder("h1") / "env").resolve()
        with stopped(slow):
            assert not job_files(old, UNFINISHED, "outcome.json")
            # If the new version provisions
            new.fab("provision")
        # Expect it to have put its own code in place, to have nothing more to do, and to know the
        # fault and all jobs
        assert (new.folder("h1") / "env").resolve() != environment
        answer = new.json("provision")
        assert sum(host["changed"] for host in answer["hosts"].values()) == 0
        assert len(new.json("status")["faults"]) == len(host_names(new))
        for job in inputs:
            assert new.json("status", "--job", job)["job"]["name"] == job
        # If the fault is ended
        new.fab("restore-worker", "--all")
        assert not new.json("status")["faults"]
        # Expect the job to go on to its end
        answer = new.json("start-job", "--name", UNFINISHED, "--top", "all")
        assert answer["complete"]
        assert same(count_of(answer), texts(inputs[UNFINISHED]))
        # ... and what was counted before to be what it was
        for job in (FINISHED, UNFINISHED):
            assert new.json("verify", "--job", job)["verdict"] == "valid"
            found = new.json("top", "--job", job, "--limit", "0")
            assert same(count_of(found), texts(inputs[job]))
            # ... also of a word that is not in the set, which the old version published as all
            words = new.json("count", "--job", job, "--words", "the no-such-word")["words"]
            assert words == [["the", texts(inputs[job])["the"]], ["no-such-word", 0]]
        assert b"0.txt" in dead(new, REFUSED)
        # If what has changed since is counted, in jobs that the old version began
        (inputs[FINISHED] / "1.txt").write_text("quite another text")
        (inputs[REFUSED] / "0.txt").write_text("UTF-8 now")
        for job in (FINISHED, REFUSED):
            answer = new.json("start-job", "--update", "--name", job, "--top", "all")
            assert answer["complete"]
            assert same(count_of(answer), texts(inputs[job]))
            assert new.json("verify", "--job", job)["verdict"] == "valid"
        # If it is all removed, by the new version
        new.fab("destroy", "--yes")
        # Expect nothing to be left of what the old one made
        assert not namespaces.of_cluster(new.name)
        assert not new.folder("h1").parent.exists()
        assert not [user for user in pwd.getpwall() if user.pw_name.startswith(f"fl-{new.name}")]


def count(cluster: TestCluster, job: str, folder: Path, code: int = 0) -> None:
    cluster.fab(
        "start-job", "--input", f"{folder}/*", "--name", job, "--split-size", "16KiB",
        "--top", "0", code=code,
    )  # fmt: skip
