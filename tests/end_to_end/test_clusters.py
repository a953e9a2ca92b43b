"""Clusters on one machine know nothing of each other, though their addresses are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import answer_of, count_of, same, start
from tests.netns import TestCluster, netns_cluster, poll

pytestmark = pytest.mark.cluster


def test_two_clusters_count_at_once(cluster: TestCluster, bible: Corpus, tmp_path: Path) -> None:
    """Given two clusters with the same addresses. If each counts under the same job name, one the
    whole Bible and one a ninth of it. Expect each to have its own result."""
    part = bible.files[0]
    with netns_cluster(tmp_path, hosts=2) as other:
        other.fab("provision")
        for host in other.inventory.hosts:
            poll(lambda name=host.name: other.all_run(name))
        theirs = cluster.inventory.host("h1").address
        assert other.inventory.host("h1").address == theirs
        given = ("--name", "same", "--json", "--top", "all", "--input")
        whole = start(cluster, *given, bible.glob)
        ninth = start(other, *given, str(part))
        assert same(count_of(answer_of(whole)), bible.counts)
        words = count_of(answer_of(ninth))
        assert words.total() == len(part.read_text().split())
        assert cluster.json("verify", "--job", "same")["verdict"] == "valid"
        answer = other.json("verify", "--job", "same")
        assert (answer["verdict"], list(answer["replicas"])) == ("valid", ["h1", "h2"])
    assert cluster.json("verify", "--job", "same")["verdict"] == "valid"
