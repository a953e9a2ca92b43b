"""The same commands through real sshds: nothing above a connector knows the difference."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.conftest import WORKERS, Corpus
from tests.end_to_end.support import answer_of, count_of, job_files, same, start, until
from tests.netns import poll, ssh_cluster

pytestmark = pytest.mark.cluster


def test_a_job_over_ssh(bible: Corpus, tmp_path: Path) -> None:
    """Given hosts behind sshd. If a start is killed when the job has begun, and done again.
    Expect exact counts, a proof that holds, and healthy hosts. A host's files are its own unless
    the inventory says that all see the same."""
    shared = {"shared_files": True}
    with ssh_cluster(tmp_path, hosts=2, workers=WORKERS, job=shared) as cluster:
        cluster.fab("provision")
        for host in cluster.inventory.hosts:
            poll(lambda name=host.name: cluster.all_run(name))
        given = ("--input", bible.glob, "--name", "kjv")
        first = start(cluster, *given)
        until(lambda: job_files(cluster, "kjv", "spec.json"))
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        answer = answer_of(start(cluster, *given, "--json", "--top", "all"))
        assert answer["complete"]
        assert same(count_of(answer), bible.counts)
        assert cluster.json("verify")["verdict"] == "valid"
        assert cluster.json("status")["converged"] is True
        # Each host now counts what it has: on one machine all have the same files.
        cluster.fab("start-job", "--input", bible.glob, "--name", "own", "--local")
        own = count_of(cluster.json("top", "--job", "own", "--limit", "0"))
        assert all(own[word] == 2 * count for word, count in bible.counts.items())
