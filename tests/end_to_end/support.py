"""What a user does not do, and the tests need: look into a Redis, watch processes, kill them."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from control.cluster import Cluster
from control.jobs import job_start
from provision.host import namespaces
from tests.netns import TestCluster, poll
from wc.backends.redis.keys import JobKeys

CLONE_NEWNET = 0x40000000
#: A deadline, not an expectation: other work may share the machine.
JOB_SECONDS = 200.0
#: Bytes of a split, and how many a worker claims at a time, of jobs that are to go on smoothly.
SMALL, BATCH = 8192, 2


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread in a network namespace. A socket stays in the one where it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{namespace}") as other:
        assert libc.setns(other.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(own.fileno(), CLONE_NEWNET) == 0


class _Inside(redis.Connection):
    """A connection made inside a namespace."""

    def __init__(self, *, namespace: str, **options: Any) -> None:
        self._namespace = namespace
        super().__init__(**options)

    def _connect(self) -> Any:
        with inside(self._namespace):
            return super()._connect()


def admin(cluster: TestCluster, host: str) -> redis.Redis:
    """A client of a host's Redis that may do anything."""
    inventory = cluster.inventory
    return redis.Redis(
        connection_pool=redis.ConnectionPool(
            connection_class=_Inside,
            namespace=inventory.namespace(inventory.host(host)),
            host=inventory.host(host).address,
            port=inventory.redis.port,
            username="admin",
            password=(cluster.folder(host) / "etc/secrets/admin").read_text().strip(),
            protocol=2,
            socket_timeout=30,
            retry=Retry(NoBackoff(), 0),
        )
    )


def host_names(cluster: TestCluster) -> list[str]:
    return [host.name for host in cluster.inventory.hosts]


def count_of(answer: dict[str, Any]) -> Counter[str]:
    """The words of an answer of `top` or `start-job`; each word is there once."""
    words = Counter(dict(answer["words"]))
    assert len(words) == len(answer["words"])
    return words


def same(found: Counter[str], expected: Counter[str]) -> bool:
    """Whether two counts are equal. Prints where not: pytest's own difference would be endless."""
    for word in sorted(found.keys() | expected.keys()):
        if found[word] != expected[word]:
            print(f"{word!r}: expected {expected[word]}, found {found[word]}")
    return found == expected


def start(cluster: TestCluster, *options: str) -> subprocess.Popen[str]:
    """`fab start-job` in a process group of its own, as a shell would start it."""
    return subprocess.Popen(
        cluster.command("start-job", *options),
        cwd=cluster.checkout,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    """What it printed, once it has ended with this exit code."""
    out, err = process.communicate(timeout=JOB_SECONDS)
    assert process.returncode == code, f"{process.args}\n{out}\n{err}"
    return out, err


def answer_of(process: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
    return dict(json.loads(ended(process, code)[0]))


def applied(client: redis.Redis, job: str, origin: str) -> int:
    """How many splits of the origin this replica has; 0 while it does not answer."""
    try:
        return int(client.bitcount(JobKeys(job).applied(origin)))  # type: ignore[arg-type]
    except redis.ConnectionError:
        return 0


def job_files(cluster: TestCluster, job: str, name: str) -> list[Path]:
    """A file of the job's folder, on the hosts that have it."""
    found = [cluster.folder(host) / "jobs" / job / name for host in host_names(cluster)]
    return [path for path in found if path.exists()]


def jobs_on_disk(cluster: TestCluster) -> set[str]:
    return {
        path.name
        for host in host_names(cluster)
        for path in (cluster.folder(host) / "jobs").iterdir()
    }


def workers(cluster: TestCluster) -> list[int]:
    """Process ids of all workers, of all hosts."""
    return [
        pid
        for host in host_names(cluster)
        for name, pid in cluster.programs(host).items()
        if name.startswith("workers:")
    ]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Processes that stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # it may have been ended for good
                os.kill(pid, signal.SIGCONT)


def begin(hosts: Cluster, pattern: str, job: str) -> dict[str, object]:
    """Start a job of many splits that workers claim few of at a time; its specification."""
    request = job_start.Request(pattern, job, "whitespace", "strict", SMALL, shared=True)
    shares = job_start.files_by_origin(hosts, request)
    spec = job_start.specify(hosts, request, shares) | {"batch": BATCH}
    job_start.prepare(hosts, spec, shares)
    job_start.activate(hosts, spec)
    return spec


def questions(cluster: TestCluster) -> list[int]:
    """Processes on the hosts that answer a controller (`python -m wc ...`)."""
    inventory = cluster.inventory
    names = [inventory.namespace(host) for host in inventory.hosts]
    return [pid for pid in namespaces.pids(names) if b"\0-m\0wc\0" in _arguments(pid)]


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def restarts(cluster: TestCluster, host: str, program: str) -> int:
    """As `fab status` tells it."""
    processes = cluster.json("status")["hosts"][host]["processes"]
    return int(next(p["restarts"] for p in processes if p["name"] == program))


def until(condition: Callable[[], object], seconds: float = JOB_SECONDS) -> None:
    poll(condition, seconds)
