"""Starting a job, or attaching to one of the same name.

Four steps: plan (expand and check the inputs where the workers will read them), deal the files to
origins, prepare on every origin, activate on every origin. The first origin prepares last and
activates in the same call, which saves a call before the first split. Before the first
activation nothing has started; after it, calling start again completes the activation. The hosts
then do the job whether or not a controller follows it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from control import options
from control.cluster import Answer, Cluster, HostError
from control.deal_files import COMPRESSION, SIZE, Row, deal, files_per_split
from control.jobs import input_patterns, job_names
from control.jobs.job_names import Names
from control.jobs.plan_files import plan
from provision.connect.hosts import answers
from provision.exit_codes import CommandError
from provision.inventory.model import Host

#: From so many files on it is said that their list is sent, which takes seconds.
MANY_FILES = 100_000
#: A job's name becomes part of Redis keys and file names.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

MIB = 1 << 20
#: Limits of an "auto" split, bytes; between them, every worker gets about SPLITS_PER_WORKER splits.
SMALLEST_SPLIT, LARGEST_SPLIT = MIB // 4, 16 * MIB
SPLITS_PER_WORKER = 4
#: A worker claims several small splits at a time: about this many bytes, at most this many splits.
BATCH_BYTES, BATCH_SPLITS = MIB, 256
#: How often a host is prepared again after another controller prepared it for its own job.
ACTIVATION_TRIES = 3


class JobError(CommandError):
    """The job cannot be started or found as asked; the message says why and what to do."""

    kind = "job"


@dataclass(frozen=True)
class Request:
    """The options of a job. ``input`` is "" or as input_patterns has it, ``name`` may be "",
    ``split_size`` is "auto" or bytes, ``publish`` a number of words, 0 for all, or None for the
    default, ``write_quorum`` 0 for the inventory's, ``workers`` a number, 0 for all."""

    input: str
    name: str
    tokenizer: str
    encoding_errors: str
    split_size: int | str
    shared: bool
    speculate: bool = True
    write_quorum: int = 0
    workers: int = 0
    publish: int | None = None


@dataclass(frozen=True)
class Job:
    """A job on the hosts: its specification, and whether it was there before."""

    spec: Answer
    attached: bool

    @property
    def name(self) -> str:
        return str(self.spec["name"])


def start(
    cluster: Cluster,
    request: Request,
    begun: Callable[[str], None],
    delete: Callable[[str], None] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Job:
    """Start the job, or attach to the one of that name. Raises JobError, HostError.

    ``begun(name)`` is called just before the first host may start: from then on the job exists.
    With ``delete``, that is called with the name of the job that is there, and a new one is
    started. ``report`` is told what is being done while that takes long, in words.
    """
    if request.name and not NAME.fullmatch(request.name):
        raise JobError(
            f"job name {request.name!r}: use 1 to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    known, names = _look_up(cluster, request.name) if request.name else (None, None)
    if (spec := known) and not delete:
        _require_same(request, spec)
        begun(spec["name"])
        found = activate(cluster, spec)
        if all(isinstance(answer, HostError) for answer in found.values()):
            answers(found)
        return Job(spec, attached=True)  # one host that answers is enough
    if not request.input:
        none = f"there is no job {request.name!r} to attach to; " if request.name else ""
        raise JobError(f"{none}name the files to count: --input '/path/*.txt'")
    shares = files_by_origin(cluster, request, report)
    if (files := sum(map(len, shares.values()))) >= MANY_FILES:
        report(f"sending the list of {files:,} files to the hosts")
    if known and delete:
        delete(known["name"])
        names = job_names.ask(cluster)
    if names:
        request = replace(request, name=job_names.free(request.name, names))
    spec = specify(cluster, request, shares)
    first, *others = spec["origins"]
    prepare(cluster, spec, shares, others)
    begun(spec["name"])
    _prepare(cluster, cluster.inventory.host(first), spec, shares, "--activate")
    _activate_others(cluster, spec, shares)
    return Job(spec, attached=False)


def _activate_others(cluster: Cluster, spec: Answer, shares: dict[str, list[Row]]) -> None:
    """Activate a job that has started on its first origin. Raises HostError.

    If two controllers start a job of the same name, the first origin decides: the one that was
    first there prepares the other hosts again.
    """
    others = {**spec, "origins": spec["origins"][1:]}
    for tries in range(ACTIVATION_TRIES, 0, -1):
        found = activate(cluster, others)
        refused = [name for name, answer in found.items() if isinstance(answer, HostError)]
        if not refused or tries == 1:
            answers(found)
            return
        again = cluster.on_all(
            lambda host: _prepare(cluster, host, spec, shares),
            [cluster.inventory.host(name) for name in refused],
        )
        if all(isinstance(answer, HostError) for answer in again.values()):
            answers(found)


def find(cluster: Cluster, name: str = "") -> Answer | None:
    """The specification of the named job, or of the latest; None if no reachable host knows one.

    A name that was a deleted job's finds the job that was started under it since.
    """
    return _look_up(cluster, name)[0]


def _look_up(cluster: Cluster, name: str) -> tuple[Answer | None, Names | None]:
    """What ``find`` finds, and the names that there are if no job has just this one."""
    if spec := _find(cluster, name):
        return spec, None
    names = job_names.ask(cluster)
    later = job_names.successor(name, names)
    return (_find(cluster, later) if later else None), names


def _find(cluster: Cluster, name: str) -> Answer | None:
    found = cluster.on_all(lambda host: cluster.ask(host, "job", "--job", name), _origins(cluster))
    specs = [spec for spec in found.values() if not isinstance(spec, HostError) and spec]
    if not specs and all(isinstance(spec, HostError) for spec in found.values()):
        answers(found)
    return max(specs, key=lambda spec: float(spec["created"]), default=None)


def require(cluster: Cluster, name: str = "") -> Answer:
    """As ``find``, but raises JobError if there is none."""
    spec, names = _look_up(cluster, name)
    if spec is None:
        assert names is not None  # asked for where no job was found  # noqa: S101
        raise JobError(job_names.missing(name, names))
    return spec


def _origins(cluster: Cluster) -> tuple[Host, ...]:
    return cluster.inventory.origins


def _require_same(request: Request, spec: Answer) -> None:
    if not request.input:
        return
    requested = {
        "input": request.input,
        "tokenizer": request.tokenizer,
        "errors": request.encoding_errors,
    }
    there = {
        "publish": 0,
        "workers": [],
        **spec,
    }  # the job may have been started before that option existed
    other = [
        f"{key} {input_patterns.shown(there[key])!r}"
        for key, value in requested.items()
        if there[key] != value
    ]
    if request.workers not in (0, len(there["workers"])):
        other.append(f"--workers {len(there['workers']) or 'all'}")
    if request.publish not in (None, there["publish"]):
        words = {0: "all", options.FIRST_WORDS: "auto"}
        other.append(f"publish {words.get(there['publish'], there['publish'])}")
    if other:
        raise JobError(
            f"job {spec['name']!r} exists with other options ({', '.join(other)}); "
            "choose another --name, or --replace that job"
        )


def files_by_origin(
    cluster: Cluster, request: Request, report: Callable[[str], None] = lambda _: None
) -> dict[str, list[Row]]:
    """Each origin's files: dealt out if all hosts see the same files, else those it has.

    Raises JobError, HostError.
    """
    found = plan(cluster, request.input, request.tokenizer, request.shared, report=report)
    if request.shared:
        rows = [row for listing in found.values() for row in listing]
        return deal(rows, [host.name for host in _origins(cluster)])
    if not any(found.values()):
        raise JobError(f"no file matches {input_patterns.shown(request.input)} on any host")
    return found


def specify(cluster: Cluster, request: Request, shares: dict[str, list[Row]]) -> dict[str, Any]:
    """The job's specification, as hosts keep it."""
    sizes = [row[SIZE] for share in shares.values() for row in share]
    total = sum(sizes)
    workers = _workers(cluster, request.workers)
    split = request.split_size
    if not isinstance(split, int):
        split = max(SMALLEST_SPLIT, min(LARGEST_SPLIT, total // (len(workers) * SPLITS_PER_WORKER)))
    encodings = {row[COMPRESSION] for share in shares.values() for row in share} - {"none", "gzip"}
    # Hosts of an earlier version refuse a job with any of these.
    later = {"encodings": sorted(encodings), "workers": workers if request.workers else []}
    mean = total // max(1, len(sizes))
    in_a_split = max((files_per_split(rows) for rows in shares.values()), default=1)
    # The mean size of a split; a shared split is at most SMALLEST_SPLIT bytes.
    mean = max(1, min(split, max(mean, min(SMALLEST_SPLIT, in_a_split * mean))))
    return {
        "name": request.name or job_names.automatic(),
        "input": request.input,
        "tokenizer": request.tokenizer,
        "errors": request.encoding_errors,
        "split_bytes": split,
        "batch": max(1, min(BATCH_SPLITS, BATCH_BYTES // mean)),
        "origins": sorted(shares),
        "shared": request.shared,
        "created": time.time(),
        "speculate": request.speculate,
        "write_quorum": request.write_quorum,
        "publish": options.FIRST_WORDS if request.publish is None else request.publish,
    } | {key: value for key, value in later.items() if value}


def _workers(cluster: Cluster, number: int) -> list[str]:
    """So many workers, taken from all hosts in turn; all for 0."""
    inventory = cluster.inventory
    every = [
        f"{host.name}/worker-{index}"
        for index in range(inventory.workers.per_host)
        for host in inventory.hosts
    ]
    return every[:number] if number else every


def prepare(
    cluster: Cluster,
    spec: Answer,
    shares: dict[str, list[Row]],
    origins: Iterable[str] | None = None,
) -> None:
    """Store the job durably on these origins, or on all; nothing starts. Raises HostError."""
    hosts = [
        cluster.inventory.host(name) for name in (spec["origins"] if origins is None else origins)
    ]
    answers(cluster.on_all(lambda host: _prepare(cluster, host, spec, shares), hosts))


def _prepare(
    cluster: Cluster, host: Host, spec: Answer, shares: dict[str, list[Row]], *words: str
) -> Answer:
    dealt = {name: _share(rows) for name, rows in shares.items()}
    mine = dealt.pop(host.name)
    # Where files are shared each may have to count another's, whom it may never have reached.
    peers = dealt if spec["shared"] else {}
    stdin = json.dumps({"spec": spec, **mine, "peers": peers})
    return cluster.ask(host, "prepare", *words, stdin=stdin)


def _share(rows: list[Row]) -> Answer:
    """As wc/jobs/planning.py has it."""
    return {"files": rows, "share": files_per_split(rows)}


def activate(cluster: Cluster, spec: Answer) -> dict[str, Answer | HostError]:
    """Start a prepared job on every origin; does nothing where it has started. Answers by host."""

    def on(host: Host) -> Answer:
        words = ("--job", spec["name"], "--created", repr(spec["created"]))
        return cluster.ask(host, "activate", *words)

    return cluster.on_all(on, [cluster.inventory.host(name) for name in spec["origins"]])


def retry_dead(cluster: Cluster, name: str = "") -> tuple[Answer, int]:
    """Try a job's dead splits again. Returns its specification, and how many there were.

    Raises JobError, and HostError if some host or replica does not answer.
    """
    spec = require(cluster, name)
    hosts = [cluster.inventory.host(origin) for origin in spec["origins"]]
    found = answers(
        cluster.on_all(lambda host: cluster.ask(host, "retry-dead", "--job", spec["name"]), hosts)
    )
    return spec, sum(answer["revived"] for answer in found.values())
