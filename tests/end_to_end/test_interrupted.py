"""A controller that goes away, at any moment: the same command again completes the job, exactly."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import (
    JOB_SECONDS,
    admin,
    answer_of,
    applied,
    count_of,
    job_files,
    questions,
    same,
    start,
    stopped,
    until,
    workers,
)
from tests.netns import CHECKOUT, TestCluster

pytestmark = pytest.mark.cluster
#: From the start of a command to well into its job, seconds.
LATEST = 3.0


def prepared(cluster: TestCluster, job: str) -> None:
    """Some origin has the job on disk, none has begun it."""
    until(lambda: job_files(cluster, job, "spec.pending") or job_files(cluster, job, "spec.json"))


def activated(cluster: TestCluster, job: str) -> None:
    """Some origin has begun."""
    until(lambda: job_files(cluster, job, "spec.json"))


def counting(cluster: TestCluster, job: str) -> None:
    """Some splits are counted."""
    client = admin(cluster, "h1")
    until(lambda: applied(client, job, "h1"))


def followed(cluster: TestCluster, job: str) -> None:
    """All origins have begun."""
    until(lambda: len(job_files(cluster, job, "spec.json")) == len(cluster.inventory.hosts))


def any_time(cluster: TestCluster, job: str) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    time.sleep(random.Random(seed).uniform(0, LATEST))  # the moment itself, not a wait for one


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        (signal.SIGKILL, prepared),
        (signal.SIGKILL, activated),
        (signal.SIGKILL, counting),
        (signal.SIGKILL, any_time),
        (signal.SIGINT, followed),
        (signal.SIGINT, any_time),
    ],
    ids=lambda value: getattr(value, "__name__", None) or value.name,
)
def test_interrupted_and_run_again(
    cluster: TestCluster,
    bible: Corpus,
    sent: signal.Signals,
    moment: Callable[[TestCluster, str], None],
) -> None:
    job = f"{sent.name}-{moment.__name__}"
    given = ("--input", bible.glob, "--name", job)
    # Workers stand still, where the job must not end before the signal comes
    with stopped(workers(cluster) if moment is followed else []):
        process = start(cluster, *given)
        moment(cluster, job)
        os.killpg(process.pid, sent)
        out, err = process.communicate(timeout=JOB_SECONDS)
    # What Ctrl-C prints while fab itself is imported, none of our lines having run, is Python's
    assert "Traceback" not in err or f"{CHECKOUT}/fabfile.py" not in err
    if moment is followed:
        assert process.returncode == 130
        assert f"job {job} goes on without us; come back with `fab start-job --name {job}`" in out
    # Expect no question of the first one to be left running, and the second to complete the job
    until(lambda: not questions(cluster))
    again = answer_of(start(cluster, *given, "--json", "--top", "all"))
    assert again["complete"]
    assert same(count_of(again), bible.counts)


def test_two_that_start_the_same_job_at_once(cluster: TestCluster, bible: Corpus) -> None:
    """Expect one job: whoever is refused for being late attaches when run again."""
    given = ("--input", bible.glob, "--name", "twice", "--json", "--top", "all")
    both = [start(cluster, *given) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=JOB_SECONDS)
        assert process.returncode == 0 or "was started before" in err, f"{out}\n{err}"
    assert same(count_of(answer_of(start(cluster, *given))), bible.counts)


def test_watching_the_status_ends_with_the_command(cluster: TestCluster, bible: Corpus) -> None:
    """Expect one JSON object after another, and Ctrl-C to be no error."""
    command = cluster.command("status", "--watch", "--every", "0.1", "--json")
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for _ in range(2):
                assert json.loads(process.stdout.readline())["cluster"] == cluster.name
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=JOB_SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in err
