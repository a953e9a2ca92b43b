"""Jobs of bench/run on a real cluster: the command as it is typed, and what is read of it."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from bench.peers.answer import answer_of
from bench.suite import corpora, jobs
from bench.suite.jobs import COUNTED, PUBLISHED
from tests.netns import require_root


def test_a_job_is_run_as_it_is_typed() -> None:
    require_root()
    with tempfile.TemporaryDirectory(prefix="faultline-", dir="/var/tmp") as folder:
        # Given two hosts, a worker each, and text of 500 words
        text = corpora.corpus(
            3, 4000, lambda _: None, kind=corpora.EQUAL, words=500, cache=Path(folder)
        )
        words = Counter(b"".join(path.read_bytes() for path in text.paths()).decode().split())
        with jobs.replicas(2) as cluster:
            # If they are counted twice, publishing different things
            # Expect the right words, from the first replica
            for options in ((), ("--publish", "all")):
                ran = cluster.run(text, *options, memory=True)
                assert ran.error == ""
                assert ran.answer == vars(answer_of(words))
                # Expect the moments in their order, and memory of both kinds
                assert 0 < ran.more[COUNTED] <= ran.more[PUBLISHED] <= ran.seconds
                assert ran.memory > ran.redis > 0
            assert cluster.kernel in ("c", "python")
            # If there is nothing to count, expect the reason, and others to go on
            empty = corpora.Corpus(text.kind, Path(folder) / "none", 0, 0, 0)
            assert "none" in cluster.run(empty).error
