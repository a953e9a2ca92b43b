"""Many jobs: listed, named, deleted, cancelled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.support import (
    admin,
    answer_of,
    ended,
    host_names,
    jobs_on_disk,
    start,
    stopped,
    until,
    workers,
)
from tests.netns import TestCluster
from wc.backends.redis.keys import JobKeys

pytestmark = pytest.mark.cluster


def listed(cluster: TestCluster) -> dict[str, dict[str, object]]:
    return {job["name"]: job for job in cluster.json("jobs")["jobs"]}


def test_jobs_are_listed_and_deleted(cluster: TestCluster, folder: Path) -> None:
    (folder / "a.txt").write_text("one two two")
    glob = f"{folder}/*.txt"
    # Given three jobs that were started at the same moment, without a name
    processes = [start(cluster, "--input", glob, "--json") for _ in range(3)]
    names = {answer_of(process)["job"] for process in processes}
    assert len(names) == 3
    # and one with a name; expect all in the list, as they are
    cluster.fab("start-job", "--input", glob, "--name", "shelf", "--top", "0")
    job = listed(cluster)["shelf"]
    assert job["state"] == "complete"
    assert (job["files"], job["bytes"], job["words"]) == (1, 11, 2)
    memory = dict(job["memory"])  # type: ignore[call-overload]
    assert memory.keys() == set(host_names(cluster))
    assert all(memory.values())
    table = cluster.fab("jobs").stdout
    assert re.search(r"^shelf +complete +1 +11 B +2 ", table, re.MULTILINE)
    # A name that is not there: those that are like it are named
    assert "did you mean shelf?" in cluster.fab("top", "--job", "shelv", code=2).stderr

    # If it is deleted; expect nothing left of it anywhere
    assert cluster.json("delete-job", "--job", "shelf", "--dry-run")["deleted"] == []
    assert cluster.json("delete-job", "--job", "shelf") == {
        "deleted": ["shelf"],
        "jobs": ["shelf"],
        "later": {},
    }
    assert "shelf" not in listed(cluster) | dict.fromkeys(jobs_on_disk(cluster))
    for host in host_names(cluster):
        assert not [*admin(cluster, host).scan_iter(match="{shelf}*")]
    assert "(it was deleted)" in cluster.fab("top", "--job", "shelf", code=2).stderr
    # and the name to be free for people, though it is another in Redis
    shown = cluster.fab("start-job", "--input", glob, "--name", "shelf", "--top", "0").stdout
    assert "job shelf.2: started (a deleted job was named shelf;" in shown
    assert cluster.json("top", "--job", "shelf")["job"] == "shelf.2"
    assert cluster.json("start-job", "--name", "shelf")["job"] == "shelf.2"
    # Several at once, by age or number
    assert cluster.json("delete-job", "--older-than", "7d")["jobs"] == []
    kept = len(listed(cluster)) - 2
    gone = cluster.json("delete-job", "--all-but", str(kept), "--dry-run")["jobs"]
    assert len(gone) <= 2
    assert "shelf.2" not in gone
    assert "--older-than '7x'" in cluster.fab("delete-job", "--older-than", "7x", code=2).stderr
    assert "say which jobs" in cluster.fab("delete-job", code=2).stderr


def test_several_inputs(cluster: TestCluster, folder: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (folder / f"{name}.txt").write_text(f"{name} {name}")
    typed = ("--input", f"{folder}/{{a,b}}.txt", "--input", f"{folder}/[bc].*")
    answer = cluster.json("start-job", *typed, "--name", "several")
    assert dict(answer["words"]) == {"a": 2, "b": 2, "c": 2}
    # The same again attaches; with others it is another job
    assert cluster.json("start-job", *typed, "--name", "several")["words"] == answer["words"]
    other = cluster.fab("start-job", *typed[:2], "--name", "several", code=2).stderr
    assert f"(input '{folder}/a.txt {folder}/b.txt {folder}/[bc].*')" in other
    # and each of the globs is retracted and updated
    cluster.fab("retract", "--input", f"{folder}/a*", "--input", f"{folder}/b*", "--job", "several")
    assert dict(cluster.json("top", "--job", "several")["words"]) == {"c": 2}
    answer = cluster.json("start-job", "--update", "--name", "several")
    assert dict(answer["words"]) == {"a": 2, "b": 2, "c": 2}
    assert cluster.json("verify", "--job", "several")["verdict"] == "valid"


def test_a_running_job_is_cancelled(cluster: TestCluster, folder: Path) -> None:
    (folder / "a.txt").write_text("one two")
    with stopped(workers(cluster)):
        # Given a job that runs, and somebody who follows it
        process = start(cluster, "--input", f"{folder}/*.txt", "--name", "endless")
        until(lambda: listed(cluster).get("endless", {}).get("state") == "counting")
        assert cluster.json("status", "--job", "endless")["job"]["state"] == "counting"
        refused = cluster.fab("delete-job", "--job", "endless", code=2).stderr
        assert "fab cancel-job --job endless" in refused
        # If it is cancelled
        assert cluster.json("cancel-job", "--job", "endless")["deleted"] == ["endless"]
        # Expect it to be gone, and who followed it to be told
        assert "endless" not in listed(cluster)
        assert "endless: it was deleted" in ended(process, 2)[1]
    until(lambda: not admin(cluster, "h1").exists(JobKeys("endless").manifest))
