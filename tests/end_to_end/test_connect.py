"""What is published can be read by anybody's Redis client, as a user who can do nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns import TestCluster

pytestmark = pytest.mark.cluster

FORBIDDEN = (
    "set {read}:counts 1",
    "del {read}:counts",
    "zadd {read}:counts 1 x",
    "hgetall {read}:files",
    "get {read}:applied:h1",
    "hset wc:jobs x y",
    "keys *",
    "flushall",
    "config get *",
    "fcall_ro wc_status 0",
    "shutdown",
)


def test_how_to_read_is_told_and_works(cluster: TestCluster, folder: Path) -> None:
    (folder / "a.txt").write_text("one the the")
    cluster.fab("start-job", "--input", f"{folder}/*.txt", "--name", "read", "--top", "0")
    # If what the command tells is typed, for this job, in the shell that its first line begins
    told = cluster.fab("connect", "--host", "h2").stdout.replace("{JOB}", "{read}")
    enter, *lines = re.findall(r"^    (.*)$", told, re.MULTILINE)
    code = lines.index("import os, redis")
    shell = [*lines[:code], f"{sys.executable} - <<'END'", *lines[code:], "END", ""]
    done = subprocess.run(
        enter.split(),
        input="\n".join(shell),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"REDISCLI_AUTH": ""},
    )
    # Expect the job, its words, and a count
    assert "the\n2\none\n1\n2.0 {" in done.stdout, f"{told}\n{done.stdout}\n{done.stderr}"
    assert "read\n" in done.stdout
    assert "'words': '2'" in done.stdout

    # Nothing else is allowed
    place = cluster.json("connect", "--host", "h2")
    password = Path(place["password_file"]).read_text().strip()
    for command in FORBIDDEN:
        client = [*place["enter"].split(), "redis-cli", "-h", place["address"]]
        answer = subprocess.run(
            [*client, "--user", place["user"], *command.split()],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"REDISCLI_AUTH": password},
        )
        assert "NOPERM" in answer.stdout, (command, answer.stdout, answer.stderr)
    assert Path(place["password_file"]).stat().st_mode & 0o777 == 0o600
    assert "h1, h2, h3" in cluster.fab("connect", "--host", "h9", code=2).stderr
