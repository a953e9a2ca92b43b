"""State that a later version wrote: refused in words, kept as it is, and in no other job's way."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.wc.support.cluster import Cluster, eventually
from wc.backends.redis import keys
from wc.jobs.folder import JobFolder

TEXT = "words that every version can count "
#: Jobs that a later version began, and what its driver's log must say of each.
REFUSED = {
    "spec": "/jobs/spec/spec.json: job spec: a later version wrote its specification, with colour; "
    "run `fab provision` from that version",
    "tokenizer": "/jobs/tokenizer/spec.json: job tokenizer: this version has the tokenizers "
    "whitespace, letters, tweets-csv, not 'emoji'; run `fab provision` from the version that "
    "started it",
    "origin": "/jobs/origin: job origin has splits of h9, not of this cluster, whose replicas are "
    "h1, h2, h3; put the host back into the inventory, or fab delete-job",
    "manifest": "/jobs/manifest/manifest.jsonl: version 99, this reads 1 and 2; "
    "run `fab provision` from the version that wrote it",
}
#: What may stand in the registry in place of a specification.
UNREADABLE = {
    "text": "no JSON",
    "list": "[1, 2]",
    "empty": "{}",
    "types": json.dumps(
        {
            "name": "types",
            "input": "/in/*",
            "tokenizer": "whitespace",
            "errors": "strict",
            "split_bytes": 1,
            "batch": 1,
            "origins": ["h1"],
            "shared": True,
            "created": "yesterday",
        }
    ),
}


def test_jobs_of_a_later_version_stop_no_other(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / f"in/{number}.txt").write_text(TEXT * number)
    # Given a job with an option, and one with a form of manifest, that this version does not know:
    # on all disks, and open on all replicas
    files: dict[Path, bytes] = {}
    for job in REFUSED:
        spec = json.loads(cluster.submit(job, f"{tmp_path}/in/*.txt").to_json())
        if job == "spec":
            spec["colour"] = "red"
        if job == "tokenizer":
            spec["tokenizer"] = "emoji"
        if job == "origin":
            spec["origins"] = ["h1", "h2", "h3", "h9"]
        for node in cluster.nodes:
            folder = JobFolder(node.folder / "jobs" / job)
            (folder.path / "spec.json").write_text(json.dumps(spec))
            if job == "manifest":
                text = folder.manifest_path.read_text().replace('"version": 1', '"version": 99')
                folder.manifest_path.write_text(text)
            files |= {path: path.read_bytes() for path in folder.path.iterdir()}
            client = cluster.client(node.name)
            client.hset(keys.REGISTRY, job, json.dumps(spec))
            client.sadd(keys.OPEN, job)
    # ... and what is no specification at all, open on all replicas
    for node in cluster.nodes:
        client = cluster.client(node.name)
        for job, text in UNREADABLE.items():
            client.hset(keys.REGISTRY, job, text)
            client.sadd(keys.OPEN, job)
    # If there is another job
    cluster.start()
    cluster.submit("counted", f"{tmp_path}/in/*.txt")
    # Expect it to be counted by drivers and workers that live, and the log to name each file
    assert all(outcome["complete"] for outcome in cluster.wait("counted"))
    expected = Counter(" ".join(p.read_text() for p in (tmp_path / "in").iterdir()).split())
    assert cluster.counts("counted") == [expected] * 3
    for node in cluster.nodes:
        assert all(process.poll() is None for process in node.processes)
        for said in REFUSED.values():
            assert f"{node.folder}{said}" in node.log()
    # ... the status to name what it cannot read
    unreadable = cluster.ask(cluster.nodes[0], "state")["unreadable"]
    assert unreadable.keys() == {"spec", "tokenizer", *UNREADABLE}
    assert unreadable["tokenizer"] == REFUSED["tokenizer"].partition("spec.json: ")[2]
    assert all(why.startswith(f"job {job}: ") for job, why in unreadable.items())
    # ... a question about such a job to be answered with the same, and nothing to be changed
    with pytest.raises(AssertionError, match=re.escape(REFUSED["spec"])):
        cluster.ask(cluster.nodes[0], "job", "--job", "spec")
    assert {path: path.read_bytes() for path in files} == files
    # If the version that knows the option takes over; here: if the option goes
    for node in cluster.nodes:
        for process in node.processes:
            process.kill()
            process.wait()
        path = node.folder / "jobs/spec/spec.json"
        spec = json.loads(path.read_text())
        del spec["colour"]
        path.write_text(json.dumps(spec))
        cluster.client(node.name).hset(keys.REGISTRY, "spec", json.dumps(spec))
    # Expect the job to be counted then
    cluster.start()
    cluster.wait("spec")
    eventually(lambda: cluster.counts("spec") == [expected] * 3, "the job is published")
