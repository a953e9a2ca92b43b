"""Starting jobs: attaching, what is refused, what cannot be completed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import (
    admin,
    answer_of,
    count_of,
    job_files,
    jobs_on_disk,
    same,
    start,
    stopped,
    until,
    workers,
)
from tests.netns import TestCluster
from wc.backends.redis import keys

pytestmark = pytest.mark.cluster

REFUSED = {
    "no match": (["--input", "{folder}/*.none"], "no file matches {folder}/*.none"),
    "a folder": (["--input", "{folder}"], "{folder} is a directory: name its files"),
    "one unreadable": (
        ["--input", "{folder}/*.txt"],
        "1 of 2 inputs cannot be read:\n  {folder}/closed.txt: the workers' user",
    ),
    "a folder that is not there": (
        ["--input", "{folder}/nowhere/*.txt"],
        "no file matches {folder}/nowhere/*.txt",
    ),
    "a closed folder": (["--input", "{folder}/closed/*.txt"], "may not enter {folder}/closed"),
    "a file in a closed folder": (
        ["--input", "{folder}/closed/a.txt"],
        "may not enter {folder}/closed",
    ),
    "a closed folder below": (["--input", "{folder}/**/a.txt"], "may not enter {folder}/closed"),
    "folders some closed": (["--input", "{folder}/*/a.txt"], "may not enter {folder}/closed"),
    "a dangling link": (["--input", "{folder}/*.link"], "{folder}/dangling.link: No such file"),
    "a device": (["--input", "/dev/null"], "/dev/null is not a regular file"),
    "tokenizer": (
        ["--input", "{folder}/open.txt", "--tokenizer", "words"],
        "--tokenizer 'words': allowed is one of whitespace, letters, tweets-csv",
    ),
    "encoding errors": (
        ["--input", "{folder}/open.txt", "--encoding-errors", "ignore"],
        "--encoding-errors 'ignore': allowed is one of strict, replace",
    ),
    "split size": (
        ["--input", "{folder}/open.txt", "--split-size", "0"],
        "--split-size '0': allowed is auto, or a number of bytes, or a size such as",
    ),
    "publish": (
        ["--input", "{folder}/open.txt", "--publish", "0"],
        "--publish '0': allowed is auto, or all, or a whole number",
    ),
    "publish in words": (["--input", "{folder}/open.txt", "--publish", "few"], "--publish 'few'"),
    "publish of what is there": (["--update", "--name", "x", "--publish", "9"], "--publish: a job"),
    "replace": (["--input", "{folder}/open.txt", "--replace"], "--replace: it needs --name NAME"),
    "top": (["--input", "{folder}/open.txt", "--top", "-1"], "--top '-1': allowed is all, or"),
    "a path for a name": (["--input", "{folder}/open.txt", "--name", "../x"], "job name '../x'"),
    "a long name": (["--input", "{folder}/open.txt", "--name", "x" * 65], "use 1 to 64 letters"),
    "no input": ([], "--input is missing: name the files to count"),
    "nothing to attach to": (["--name", "unheard-of"], "no job 'unheard-of' to attach to"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(cluster: TestCluster, folder: Path, case: str) -> None:
    """Expect exit 2, a message that says what to do, no traceback, and nothing left behind."""
    arguments, message = REFUSED[case]
    (folder / "open.txt").write_text("a b")
    (folder / "closed.txt").write_text("c")
    (folder / "closed.txt").chmod(0)
    (folder / "dangling.link").symlink_to("nowhere")
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed/a.txt").write_text("d")
    before = jobs_on_disk(cluster)
    known = set(admin(cluster, "h1").hkeys(keys.REGISTRY))
    done = cluster.fab("start-job", *(a.format(folder=folder) for a in arguments), code=2)
    assert message.format(folder=folder) in done.stderr
    for sign in ("Traceback", "Errno", "Error:"):
        assert sign not in done.stderr
    assert done.stdout == ""
    assert jobs_on_disk(cluster) == before
    # A replica that an earlier test emptied may be told of its jobs only now.
    new = set(admin(cluster, "h1").hkeys(keys.REGISTRY)) - known
    assert {name.decode() for name in new} <= before


def test_a_known_name_attaches_if_it_is_the_same_job(cluster: TestCluster, folder: Path) -> None:
    (folder / "a.txt").write_text("a b a")
    (folder / "b.txt").write_text("c")
    given = ["--name", "known", "--input", f"{folder}/a.txt"]
    first = cluster.fab("start-job", *given)
    assert "job known: started" in first.stdout
    for again in (given, [*given, "--publish", "auto"], ["--name", "known"]):
        assert "job known: attached to it" in cluster.fab("start-job", *again).stdout
    for other, named in (
        (["--input", f"{folder}/b.txt"], f"{folder}/a.txt"),
        (["--input", f"{folder}/a.txt", "--tokenizer", "letters"], "tokenizer 'whitespace'"),
        (["--input", f"{folder}/a.txt", "--publish", "1"], "publish auto"),
        (["--input", f"{folder}/a.txt", "--publish", "all"], "publish auto"),
    ):
        refused = cluster.fab("start-job", "--name", "known", *other, code=2).stderr
        assert "job 'known' exists with other options" in refused
        assert named in refused
        assert "choose another --name" in refused
    assert cluster.json("top", "--job", "known")["words"] == [["a", 2], ["b", 1]]
    # If the file has changed since, expect the old result not to pass for that of the new file
    (folder / "a.txt").write_text("a new one")
    answer = cluster.json("start-job", *given, code=1)
    assert (answer["attached"], answer["words"]) == (True, [["a", 2], ["b", 1]])
    assert answer["files"] == {"new": 0, "changed": 1, "deleted": 0}
    said = cluster.fab("start-job", *given, code=1)
    assert "it had ended before, and counted nothing now" in said.stdout
    assert "NOT the count of the files that are there now: 1 changed file since" in said.stderr
    assert cluster.json("start-job", *given, "--no-wait", code=1)["files"]["changed"] == 1
    # If the job is replaced, expect the new one under its name
    replaced = cluster.json("start-job", *given, "--replace")
    assert sorted(replaced["words"]) == [["a", 1], ["new", 1], ["one", 1]]
    assert replaced["attached"] is False
    assert cluster.json("start-job", *given)["words"] == replaced["words"]


def test_a_job_that_runs_while_nobody_watches(cluster: TestCluster, bible: Corpus) -> None:
    """Given workers that stand still. Expect --no-wait to return all the same, and every command
    to say that the job is not complete; then, when they go on, attaching to see it through."""
    with stopped(workers(cluster)):
        begun = cluster.json("start-job", "--input", bible.glob, "--name", "unwatched", "--no-wait")
        assert begun == {"job": "unwatched", "attached": False}
        proof = cluster.json("verify", "--job", "unwatched", code=2)
        assert proof["verdict"] == "unknown"
        assert "has not ended" in proof["reason"] or "does not know the job" in proof["reason"]
        assert cluster.json("top", "--job", "unwatched")["complete"] is False
        assert cluster.json("status", "--job", "unwatched")["job"]["complete"] is False
        watcher = start(cluster, "--name", "unwatched", "--json", "--top", "all")
    assert same(count_of(answer_of(watcher)), bible.counts)
    assert cluster.json("verify", "--job", "unwatched")["verdict"] == "valid"


def test_input_that_is_not_text_is_given_up_and_named(cluster: TestCluster, folder: Path) -> None:
    """Expect exit 1, the split and file named, the rest counted; verify cannot tell."""
    (folder / "good.txt").write_text("good words")
    (folder / "bad.txt").write_bytes(b"some text, then \xff")
    done = cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", "bad", "--json", code=1)
    assert "job bad: incomplete" in done.stderr
    assert "1 split was given up:" in done.stderr
    assert f"{folder}/bad.txt" in done.stderr
    answer = cluster.json("top", "--job", "bad")
    assert answer["complete"] is False
    assert Counter(dict(answer["words"])) == Counter(["good", "words"])
    status = cluster.json("status", "--job", "bad")
    assert status["job"]["complete"] is False
    ((dot, error),) = status["job"]["dead"].items()
    assert dot in done.stderr
    assert f"{folder}/bad.txt" in error["error"]
    proof = cluster.json("verify", "--job", "bad", code=2)
    assert (proof["verdict"], proof["reason"]) == (
        "unknown",
        "the job is incomplete: 1 split was given up",
    )


def test_input_that_changes_during_the_job(cluster: TestCluster, folder: Path) -> None:
    """Given a file that grows after the job began. Expect its split to fail with that reason."""
    for name in ("grows", "stays"):
        (folder / f"{name}.txt").write_text("a b c")
    with stopped(workers(cluster)):
        cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", "grown", "--no-wait")
        with (folder / "grows.txt").open("a") as out:
            out.write(" d")
    done = cluster.fab("start-job", "--name", "grown", code=1)
    assert "job grown: incomplete" in done.stdout
    assert f"{folder}/grows.txt" in done.stdout
    assert "changed" in done.stdout
    assert f"{folder}/stays.txt" not in done.stdout


def test_status_and_top_find_the_latest_job(cluster: TestCluster, folder: Path) -> None:
    (folder / "a.txt").write_text("latest")
    shown = cluster.fab("start-job", "--input", f"{folder}/a.txt").stdout
    name = shown.split()[1].rstrip(":")
    until(lambda: len(job_files(cluster, name, "outcome.json")) == 3)
    assert cluster.json("top")["job"] == name
    assert cluster.json("status")["job"]["name"] == name
    assert cluster.json("verify")["job"] == name
