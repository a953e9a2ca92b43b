"""Taking files back and counting what changed, against a serial count of what is there."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wc.driver.test_job import write_files
from tests.wc.support.cluster import Cluster, eventually, kill
from wc.backends.api import Extent
from wc.backends.redis.result_store import RedisResultStore

ORIGINS = ("h1", "h2", "h3")


def count(folder: Path) -> Counter[str]:
    return Counter(" ".join(p.read_text() for p in folder.iterdir()).split())


def revise(
    cluster: Cluster, job: str, revision: int, changes: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Make the next revision of every origin, {origin: {"retracted": [path], "files": [row]}}.
    Their answers."""
    answers = {}
    for node in cluster.nodes:
        request = {"revision": revision, "retracted": [], "files": []} | changes.get(node.name, {})
        answers[node.name] = cluster.ask(node, "revise", "--job", job, stdin=json.dumps(request))
    for node in cluster.nodes:
        cluster.ask(node, "activate", "--job", job, "--revision", str(revision))
    return answers


def row(path: Path) -> list[Any]:
    found = path.stat()
    return [str(path), found.st_size, found.st_mtime_ns, "none", False]


def files(cluster: Cluster, name: str, job: str) -> list[str]:
    return [r[0] for r in cluster.ask(cluster.node(name), "files", "--job", job)["files"]]


def settled(cluster: Cluster, job: str, revision: int) -> Callable[[], bool]:
    def check() -> bool:
        outcomes = [cluster.outcome(node, job) for node in cluster.nodes]
        return all(o is not None and o["revision"] == revision for o in outcomes)

    return check


def committed(cluster: Cluster, job: str) -> int:
    """Splits that were counted: each leaves its latency where it was queued."""
    return sum(
        len(RedisResultStore(cluster.client(n.name), job).latencies()) for n in cluster.nodes
    )


def folded(cluster: Cluster, job: str) -> bool:
    stores = [RedisResultStore(cluster.client(node.name), job) for node in cluster.nodes]
    origins = [o for store in stores for o in store.status(ORIGINS).origins.values()]
    return all(origin.through == origin.total for origin in origins)


@pytest.mark.parametrize("fold", [False, True], ids=["deltas", "folded"])
def test_files_changed_added_and_deleted(
    make_cluster: Callable[..., Cluster], tmp_path: Path, fold: bool
) -> None:
    # Given a job that has ended, its splits kept one by one or folded into bases
    cluster = make_cluster(compact_after_seconds=0.0 if fold else 3600.0)
    folder = tmp_path / "in"
    write_files(folder, 12, 300)
    cluster.start()
    cluster.submit("living", f"{folder}/*.txt", split_bytes=10_000)
    cluster.wait("living")
    if fold:
        eventually(lambda: folded(cluster, "living"), "every replica has folded every split")
    before = committed(cluster, "living")
    # If a file is new, one is changed, one is gone
    changed, gone = (Path(files(cluster, name, "living")[0]) for name in ("h1", "h2"))
    changed.write_text("other words " * 500)
    gone.unlink()
    new = folder / "new.txt"
    new.write_text("new words")
    changes = {
        "h1": {"retracted": [str(changed)], "files": [row(changed)]},
        "h2": {"retracted": [str(gone)]},
        "h3": {"files": [row(new)]},
    }
    revise(cluster, "living", 1, changes)
    eventually(settled(cluster, "living", 1), "the revision is published")
    # Expect what is there now, and that nothing else was counted again
    assert cluster.counts("living") == [count(folder)] * 3
    assert committed(cluster, "living") - before == 2
    # If everything but one file is retracted, in a second revision
    kept = files(cluster, "h1", "living")[0]
    rest = {
        n: {"retracted": [f for f in files(cluster, n, "living") if f != kept]} for n in ORIGINS
    }
    revise(cluster, "living", 2, rest)
    eventually(settled(cluster, "living", 2), "the second revision is published")
    # Expect that one alone
    assert cluster.counts("living") == [Counter(Path(kept).read_text().split())] * 3


def test_a_replica_that_went_back_learns_of_what_was_taken_back(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given folded replicas and a file retracted
    cluster = make_cluster(compact_after_seconds=0.0)
    folder = tmp_path / "in"
    write_files(folder, 9, 100)
    cluster.start()
    cluster.submit("back", f"{folder}/*.txt")
    cluster.wait("back")
    gone = files(cluster, "h1", "back")[:2]
    revise(cluster, "back", 1, {"h1": {"retracted": gone}})
    eventually(settled(cluster, "back", 1), "it is retracted")
    for path in gone:
        os.unlink(path)
    # If two replicas lose everything
    for name in ("h1", "h3"):
        node = cluster.node(name)
        node.kill_redis()
        node.start_redis()
    # Expect them to be filled again, without the file
    eventually(lambda: cluster.counts("back") == [count(folder)] * 3, "all have published again")


def test_a_new_host_retracts_what_its_archive_never_had(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given folded replicas, one of them of a new host, whose predecessor is gone, disk and all
    cluster = make_cluster(compact_after_seconds=0.0)
    folder = tmp_path / "in"
    write_files(folder, 6, 100)
    cluster.start()
    cluster.submit("anew", f"{folder}/*.txt")
    cluster.wait("anew")
    eventually(lambda: folded(cluster, "anew"), "every replica has folded every split")
    node = cluster.node("h3")
    for process in node.processes:
        kill(process)
    node.kill_redis()
    shutil.rmtree(node.folder / "jobs")
    (node.folder / "jobs").mkdir()
    node.start_redis()
    cluster.load(node)
    cluster.spawn(node, "driver")
    cluster.wait("anew")
    assert folded(cluster, "anew")
    # If a file of its share changes
    changed = Path(files(cluster, "h3", "anew")[0])
    changed.write_text("other words")
    changes = {"h3": {"retracted": [str(changed)], "files": [row(changed)]}}
    revise(cluster, "anew", 1, changes)
    # Expect it to be retracted, as the others' archives have its counts
    eventually(settled(cluster, "anew", 1), "the revision is published")
    assert cluster.counts("anew") == [count(folder)] * 3


def test_a_split_given_up_is_pardoned_when_its_file_is_taken_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job that is incomplete because of a file that is no text
    folder = tmp_path / "in"
    write_files(folder, 6, 50)
    (folder / "bad.txt").write_bytes(b"caf\xe9")
    cluster.start()
    cluster.submit("pardon", f"{folder}/*.txt")
    assert not any(outcome["complete"] for outcome in cluster.wait("pardon"))
    asked = cluster.ask(cluster.nodes[0], "count", "--job", "pardon", stdin='["no-such-word"]')
    assert (asked["words"], asked["complete"]) == ([["no-such-word", 0]], False)
    # If that file is retracted
    (folder / "bad.txt").unlink()
    holder = next(n for n in ORIGINS if f"{folder}/bad.txt" in files(cluster, n, "pardon"))
    revise(cluster, "pardon", 1, {holder: {"retracted": [f"{folder}/bad.txt"]}})
    eventually(settled(cluster, "pardon", 1), "the revision is published")
    # Expect a complete job
    assert all(cluster.outcome(node, "pardon")["complete"] for node in cluster.nodes)
    assert cluster.counts("pardon") == [count(folder)] * 3


def test_a_revision_of_what_is_not_there_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    write_files(tmp_path / "in", 3, 5)
    cluster.submit("strict", f"{tmp_path}/in/*.txt")
    with pytest.raises(AssertionError, match="not among the files counted: /no/such"):
        revise(cluster, "strict", 1, {"h1": {"retracted": ["/no/such"]}})
    with pytest.raises(AssertionError, match="revision 7 was not prepared"):
        cluster.ask(cluster.nodes[0], "activate", "--job", "strict", "--revision", "7")


def test_whether_all_words_are_published_changes_with_the_files(
    cluster: Cluster, tmp_path: Path
) -> None:
    # Given a job of three words that publishes up to three
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text("one two two three three three")
    more = folder / "more.txt"
    cluster.start()
    cluster.submit("auto", f"{folder}/*.txt", publish=3)
    cluster.wait("auto")
    stores = [RedisResultStore(cluster.client(name), "auto") for name in ORIGINS]

    def check(distinct: int) -> None:
        expected = dict(sorted(count(folder).items(), key=lambda row: (-row[1], row[0]))[:3])
        assert cluster.counts("auto") == [expected] * 3
        assert [store.extent() for store in stores] == [Extent(3, distinct, 3)] * 3
        for node in cluster.nodes:
            assert cluster.outcome(node, "auto")["published"]["distinct"] == distinct
            # A word that is not published is not taken for one that is not there
            asked = json.dumps(["one", "four", "four", "five"])
            answer = cluster.ask(node, "count", "--job", "auto", stdin=asked)
            there = count(folder)
            assert answer["words"] == [[w, there[w]] for w in ("one", "four", "five")]
            assert answer["complete"]

    check(3)
    # If a file with more words comes, expect the first three of all
    more.write_text("four four four four")
    revise(cluster, "auto", 1, {"h2": {"files": [row(more)]}})
    eventually(settled(cluster, "auto", 1), "the revision is published")
    check(4)
    # If it is retracted, expect all words again
    more.unlink()
    revise(cluster, "auto", 2, {"h2": {"retracted": [str(more)]}})
    eventually(settled(cluster, "auto", 2), "the second revision is published")
    check(3)


def test_words_are_looked_up_in_folded_splits_and_beside_what_is_retracted(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    # Given a job that publishes one word, whose splits are folded, and of which one is retracted
    cluster = make_cluster(compact_after_seconds=0.0)
    folder = tmp_path / "in"
    write_files(folder, 6, 200)
    cluster.start()
    cluster.submit("looked", f"{folder}/*.txt", publish=1)
    cluster.wait("looked")
    eventually(lambda: folded(cluster, "looked"), "every replica has folded every split")
    gone = files(cluster, "h1", "looked")[0]
    revise(cluster, "looked", 1, {"h1": {"retracted": [gone]}})
    eventually(settled(cluster, "looked", 1), "the revision is published")
    os.unlink(gone)
    # If every word is asked for, expect its count, and 0 for another
    expected = [*count(folder).items(), ("no-such-word", 0)]
    asked = json.dumps([word for word, _ in expected])
    for node in cluster.nodes:
        answer = cluster.ask(node, "count", "--job", "looked", stdin=asked)
        assert [tuple(found) for found in answer["words"]] == expected
