"""Counts of whole inputs, through the commands, against Python's own counting."""

from __future__ import annotations

import glob
import gzip
import io
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import admin, count_of, host_names, same
from tests.netns import TestCluster
from wc.backends.redis.keys import JobKeys

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def counted(cluster: TestCluster, bible: Corpus) -> dict[str, Any]:
    """The answer of `start-job` for the Bible."""
    return cluster.json("start-job", "--input", bible.glob, "--name", "kjv", "--top", "all")


def test_the_bible(cluster: TestCluster, bible: Corpus, counted: dict[str, Any]) -> None:
    """Expect every word as Python counts it: at the job's end, from `top`, and in the sorted set
    that each replica has published."""
    assert counted["complete"]
    assert same(count_of(counted), bible.counts)
    answer = cluster.json("top", "--job", "kjv", "--limit", "0")
    assert {"job": "kjv", "complete": True, "applied": answer["total"]}.items() <= answer.items()
    assert same(count_of(answer), bible.counts)
    counts = [count for _, count in answer["words"]]
    assert counts == sorted(counts, reverse=True)
    for host in host_names(cluster):
        rows = admin(cluster, host).zrevrange(JobKeys("kjv").counts, 0, -1, withscores=True)
        assert same(Counter({word.decode(): int(n) for word, n in rows}), bible.counts)


def test_top_for_people(cluster: TestCluster, bible: Corpus, counted: dict[str, Any]) -> None:
    shown = cluster.fab("top", "--job", "kjv", "--limit", "3").stdout
    assert "kjv on h1: complete, " in shown
    for word, count in bible.counts.most_common(3):
        assert f"{count:,} │ {word} " in shown
    assert f"{bible.counts.most_common(4)[3][1]:,}" not in shown


def test_count(cluster: TestCluster, bible: Corpus, counted: dict[str, Any]) -> None:
    """Expect the words asked for in that order, once each, as typed; and what 0 means."""
    given = ["--job", "kjv", "--words", "the  lord the", "--word", "", "--word", "the lord"]
    answer = cluster.json("count", *given)
    asked = ["the", "lord", "", "the lord"]
    assert answer["words"] == [[word, bible.counts[word]] for word in asked]
    assert answer["complete"]
    shown = cluster.fab("count", *given).stdout
    assert "kjv on h1: complete, " in shown
    assert f"{bible.counts['the']:,} │ the " in shown
    assert (
        "counted zero times, and that is certain, as the job is complete: '', 'the lord'" in shown
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "--words is missing: name the words"),
        (["--words", " "], "--words is missing: name the words"),
        (["--words", "a", "--job", "nope"], "no job 'nope' on this cluster"),
    ],
)
def test_count_refused(cluster: TestCluster, given: list[str], said: str) -> None:
    assert said in cluster.fab("count", *given, code=2).stderr


def test_verify(cluster: TestCluster, bible: Corpus, counted: dict[str, Any]) -> None:
    words = len(bible.counts)
    assert cluster.json("verify", "--job", "kjv") == {
        "verdict": "valid",
        "job": "kjv",
        "words": words,
        "tokens": bible.counts.total(),
        "replicas": {
            host: {"merged": words, "published": words, "different": 0}
            for host in host_names(cluster)
        },
        "differences": [],
        "reason": "",
        "without": [],
    }


def test_publishing_the_most_frequent_words_only(cluster: TestCluster, bible: Corpus) -> None:
    """Expect the sorted sets to have these, all words to be counted, and verify to prove both."""
    some, words = 100, len(bible.counts)
    given = ["--name", "some", "--publish", str(some), "--top", "all"]
    assert same(count_of(cluster.json("start-job", "--input", bible.glob, *given)), bible.counts)
    ordered = sorted(bible.counts.items(), key=lambda row: (row[1], row[0]), reverse=True)
    key = JobKeys("some").counts
    for host in host_names(cluster):
        rows = admin(cluster, host).zrevrange(key, 0, -1, withscores=True)
        assert [(word.decode(), int(count)) for word, count in rows] == ordered[:some]
    for limit in (5, some, some + 1, words):
        answer = cluster.json("top", "--job", "some", "--limit", str(limit))
        assert [tuple(row) for row in answer["words"]] == ordered[:limit]
    # and every word's count to be found, also of those that are not in the set
    asked = [word for word, _ in ordered[:: words // 50]]
    answer = cluster.json("count", "--job", "some", "--words", " ".join([*asked, "zebra-stripe"]))
    assert answer["words"] == [*([word, bible.counts[word]] for word in asked), ["zebra-stripe", 0]]
    shown = cluster.fab("start-job", "--name", "some", "--top", "0").stdout
    assert f"the {some} most frequent of {words:,} words; `fab count --words` gives any" in shown
    replicas = cluster.json("status", "--job", "some")["replicas"].values()
    extent = {"words": some, "distinct": words, "limit": some}
    assert [replica["extent"] for replica in replicas] == [extent] * len(replicas)
    proof = cluster.json("verify", "--job", "some")
    assert proof["verdict"] == "valid"
    expected = {"merged": words, "published": some, "different": 0}
    assert proof["replicas"] == dict.fromkeys(host_names(cluster), expected)
    # If somebody changes one set: one word too many, then the last one missing
    (last, count), (beyond, more) = ordered[some - 1 : some + 1]
    client = admin(cluster, "h2")
    client.zadd(key, {beyond: more})
    found = cluster.json("verify", "--job", "some", code=1)
    assert found["differences"] == [["h2", "published", beyond, 0, more]]
    client.zrem(key, beyond, last)
    found = cluster.json("verify", "--job", "some", code=1)
    assert found["differences"] == [["h2", "published", last, count, 0]]
    client.zadd(key, {last: count})
    shown = cluster.fab("verify", "--job", "some").stdout
    assert f"in the published sorted set of the {some} most frequent" in shown


def test_status(cluster: TestCluster, counted: dict[str, Any]) -> None:
    """Expect what scripts rely on, whatever else there is."""
    answer = cluster.json("status", "--job", "kjv")
    hosts = host_names(cluster)
    assert list(answer["hosts"]) == list(answer["replicas"]) == hosts
    assert answer["converged"] is True
    assert answer["faults"] == []
    job = answer["job"]
    assert (job["name"], job["complete"]) == ("kjv", True)
    assert job["total"] == job["applied"] > len(hosts)
    assert len({replica["digest"] for replica in answer["replicas"].values()}) == 1
    for replica in answer["replicas"].values():
        assert replica["reachable"] is True
        assert replica["applied"] == job["total"]
        assert replica["digest"]
    for host in answer["hosts"].values():
        states = {process["name"]: process["state"] for process in host["processes"]}
        programs = ("commands", "driver", "redis", "repair", "worker-0", "worker-1")
        assert states == dict.fromkeys(programs, "RUNNING")
    for host in hosts:
        assert answer["repair"][host]["rounds"] > 0


def test_status_for_people(cluster: TestCluster, counted: dict[str, Any]) -> None:
    shown = cluster.fab("status", "--job", "kjv").stdout
    assert "kjv: complete" in shown
    assert "replicas converged" in shown
    assert "background repair: " in shown
    assert shown.count("RUNNING") == 6 * len(host_names(cluster))


def test_folders_gzip_and_odd_names(cluster: TestCluster, folder: Path) -> None:
    """Given plain and compressed files, an empty one, no newline at the end, names that look like
    patterns, in folders of several depths. Expect ** to find all of them."""
    texts = {
        "plain.txt": "a b a\n",
        "one/zipped": "naïve café a\n" * 1000,
        "one/two/two [members].gz": "b b\n",
        "one/two/three/empty.txt": "",
        "one/two/three/*.txt": "the end",
        "one/two/ four.txt": "\u3000wide\u2003space\u00a0a",
    }
    expected: Counter[str] = Counter()
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        if name == "one/zipped":
            data = gzip.compress(data)
        elif name.endswith(".gz"):
            data = gzip.compress(data[:2]) + gzip.compress(data[2:])
        path.write_bytes(data)
        expected.update(text.split())
    answer = cluster.json("start-job", "--input", f"{folder}/**", "--name", "odd", "--top", "all")
    assert same(count_of(answer), expected)
    assert cluster.json("verify", "--job", "odd")["words"] == len(expected)


def test_tweets_as_pandas_reads_them(cluster: TestCluster, folder: Path) -> None:
    """Given tweets with quotes, newlines, missing texts, more than one file."""
    chance = random.Random(7)
    texts = ["@help it's  late", 'he said "no"', "two\nlines", "a,b", "", "null", "N/A", "ü 😀 x"]
    expected: Counter[str] = Counter()
    for number in range(4):
        rows = [
            {"tweet_id": n, "author_id": "me", "inbound": True, "text": chance.choice(texts)}
            for n in range(2000)
        ]
        written = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
        (folder / f"{number}.csv").write_text(written)
        column = pd.read_csv(io.StringIO(written), lineterminator="\n")["text"]
        expected.update(word for text in column for word in str(text).split(" "))
    options = ("--tokenizer", "tweets-csv", "--name", "tweets", "--top", "all")
    answer = cluster.json("start-job", "--input", f"{folder}/*.csv", *options)
    assert same(count_of(answer), expected)
    assert expected["nan"] > 1000
    assert expected[""] > 500


def test_what_is_on_every_debian_machine(cluster: TestCluster) -> None:
    """Given real files, plain and compressed, some reached through links, of mixed encodings."""
    pattern = "/usr/share/doc/[a-d]*/c*"
    # A folder that has several names, as links give it, is counted once.
    found = [Path(path) for path in glob.glob(pattern) if Path(path).is_file()]
    files = {path.parent.resolve() / path.name for path in found}
    if not files:
        pytest.skip("no documentation under /usr/share/doc")
    expected: Counter[str] = Counter()
    for path in files:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        expected.update(data.decode("utf-8", "replace").split())
    options = ("--encoding-errors", "replace", "--name", "docs", "--top", "all")
    answer = cluster.json("start-job", "--input", pattern, *options)
    assert same(count_of(answer), expected)
