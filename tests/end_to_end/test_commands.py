"""The commands as such: what they list, explain, and exit with; and that no secret shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Corpus
from tests.end_to_end.support import ended, host_names, job_files, start, stopped, workers
from tests.netns import CHECKOUT, FAB, TestCluster

pytestmark = pytest.mark.cluster


def fab(*arguments: str) -> str:
    done = subprocess.run(
        [str(FAB), *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_every_command_explains_itself() -> None:
    """Expect a line for each in the list, and an example in the help of each."""
    names = re.findall(r"^  ([a-z][a-z-]*)  ", fab("-l"), re.MULTILINE)
    assert {"provision", "start-job", "top", "verify", "status", "logs", "doctor"} <= set(names)
    with ThreadPoolExecutor(2) as pool:
        for name, text in zip(names, pool.map(lambda n: fab("--help", n), names), strict=True):
            assert re.search(rf"Example: fab {name}\b", " ".join(text.split())), name


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["at the end", "at once"])
@pytest.mark.parametrize("arguments", [("-l",), ("top", "--help"), ("doctor",)], ids=" ".join)
def test_output_that_nobody_reads(arguments: tuple[str, ...], unbuffered: str) -> None:
    # Given a pipe whose reader has gone, as with `| head` once it has enough
    reader, writer = os.pipe()
    os.close(reader)
    # If a command prints into it, line by line or all at its end
    done = subprocess.run(
        [str(FAB), *arguments],
        cwd=CHECKOUT,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        text=True,
        check=False,
    )
    os.close(writer)
    # Expect a quiet end, and the exit code that a shell gives for SIGPIPE
    assert (done.returncode, done.stderr) == (141, "")


def test_doctor(cluster: TestCluster) -> None:
    answer = cluster.json("doctor")
    assert {finding["level"] for finding in answer["findings"]} <= {"ok", "warning"}
    assert "ok" in cluster.fab("doctor").stdout


def test_logs(cluster: TestCluster) -> None:
    for host in host_names(cluster):
        shown = cluster.fab("logs", "--host", host, "--process", "worker-0", "--lines", "5").stdout
        assert 1 <= len(shown.splitlines()) <= 5
    assert "spawned" in cluster.fab("logs", "--host", "h1", "--process", "supervisord").stdout


WRONG = {
    "job": ("verify", "--job", "unheard-of"),
    "top job": ("top", "--job", "unheard-of"),
    "limit": ("top", "--limit", "ten"),
    "every": ("status", "--every", "0"),
    "host": ("logs", "--host", "h9", "--process", "redis"),
    "process": ("logs", "--host", "h1", "--process", "worker-9"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage(cluster: TestCluster, case: str) -> None:
    done = cluster.fab(*WRONG[case], code=2)
    assert WRONG[case][2] in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_are_json_too(cluster: TestCluster) -> None:
    """Expect exactly one object on standard output, whatever went wrong."""
    for kind, command in (("job", WRONG["job"]), ("usage", WRONG["limit"])):
        done = cluster.fab(*command, "--json", code=2)
        error = json.loads(done.stdout)["error"]
        assert error["kind"] == kind
        assert error["message"] + "\n" == done.stderr


def test_a_cluster_that_is_not_provisioned(cluster: TestCluster, tmp_path: Path) -> None:
    """Given an inventory that was only written. Expect to be told to provision."""
    path = tmp_path / "inventory.toml"
    path.write_text(cluster.path.read_text())
    other = TestCluster(path)
    other.edit(lambda document: document["cluster"].update(name="unmade"))
    for command in (("start-job", "--input", "/etc/hostname"), ("top",), ("verify",)):
        assert "fab provision" in other.fab(*command, code=2).stderr
    status = other.json("status", code=1)
    assert all("fab provision" in host["error"] for host in status["hosts"].values())


def test_no_secret_shows(cluster: TestCluster, bible: Corpus) -> None:
    """Given the passwords of all users. If a job runs. Expect none of them in any command line or
    environment meanwhile, nor after it in logs, job folders, the answers, or the repository."""
    secrets = sorted(
        {p.read_text().strip() for h in host_names(cluster) for p in secret_files(cluster, h)}
    )
    assert len(secrets) == 4
    patterns = [secret.encode() for secret in secrets]

    def scan() -> None:
        for place in ("cmdline", "environ"):
            for path in Path("/proc").glob(f"[0-9]*/{place}"):
                content = readable(path)
                assert not any(pattern in content for pattern in patterns), path

    with stopped(workers(cluster)):  # until the job was looked at, on a machine of any speed
        process = start(cluster, "--input", bible.glob, "--name", "quiet", "--json")
        while not job_files(cluster, "quiet", "spec.json"):
            assert process.poll() is None
            scan()
        scan()
    while process.poll() is None:
        scan()
    answers = [*ended(process), *(cluster.fab(c, "--json").stdout for c in ("status", "doctor"))]
    assert not any(secret in answer for secret in secrets for answer in answers)
    for host in host_names(cluster):
        for folder in ("log", "jobs", "run"):
            for path in (cluster.folder(host) / folder).rglob("*"):
                content = readable(path)
                assert not any(pattern in content for pattern in patterns), path
    found = subprocess.run(
        ["git", "grep", "--untracked", "-F", "-l", "-f", "-"],
        input="\n".join(secrets) + "\n",
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (1, "", "")


def secret_files(cluster: TestCluster, host: str) -> list[Path]:
    return list((cluster.folder(host) / "etc/secrets").iterdir())


def readable(path: Path) -> bytes:
    """A file's content; nothing if it is none, or its process has ended."""
    try:
        return b"" if path.is_fifo() else path.read_bytes()  # a pipe's reader would wait for ever
    except OSError:
        return b""
