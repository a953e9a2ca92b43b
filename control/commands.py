"""What the fabfile's tasks about jobs call: arguments as typed in, an exit code out
(provision/exit_codes.py). 1: a job is incomplete, counts or replicas differ.

With ``as_json`` standard output is one JSON object; everything else goes to standard error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

from rich.console import Console
from rich.live import Live

from control import jobs, options, repair, revise, show, status_view
from control import status as states
from control import verify as proof
from control.cluster import Answer, Cluster
from control.follow import follow
from control.jobs import Request
from control.revise import Revision
from provision.commands import open_inventory
from provision.exit_codes import DONE, FAILED, INTERRUPTED, Interrupted, UsageError
from provision.inventory.model import Inventory
from provision.inventory.units import count
from provision.output import print_json

#: Defaults of --every and of `verify --limit`, as typed.
WATCH_SECONDS, DIFFERENCES = "2", "10"


def _rows(answer: Answer) -> list[tuple[str, int]]:
    return [(word, count) for word, count in answer["words"]]


def _top(cluster: Cluster, job: str, limit: int, *, repair_first: bool = False) -> Answer:
    words = ["top", "--job", job, "--limit", str(limit), *(["--repair"] if repair_first else [])]
    return cluster.first(lambda host: cluster.ask(host, *words), cluster.inventory.replicas)


def start_job(
    inventory_path: str | None,
    *,
    input_glob: str | None,
    name: str | None,
    top: str | None,
    tokenizer: str | None,
    encoding_errors: str | None,
    split_size: str | None,
    local: bool,
    no_speculation: bool,
    write_quorum: str | None,
    publish: str | None,
    update: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    if update and not name:
        raise UsageError("--update: name the job whose files are to be looked at again, --name")
    if update and publish:
        raise UsageError(
            "--publish: a job keeps what it was started with; leave it out of --update"
        )
    if not input_glob and not name:
        raise UsageError("--input is missing: name the files to count, --input '/path/*.txt'")
    if local and inventory.cluster.connection == "netns":
        raise UsageError("--local: the hosts of this cluster are one machine, and share its files")
    defaults = inventory.job
    limit = defaults.top if top is None else options.ROWS.option("--top", top)
    request = Request(
        input=input_glob or "",
        name=name or "",
        tokenizer=options.TOKENIZER.option("--tokenizer", tokenizer or defaults.tokenizer),
        encoding_errors=options.ENCODING_ERRORS.option(
            "--encoding-errors", encoding_errors or defaults.encoding_errors
        ),
        split_size=(
            defaults.split_size
            if split_size is None
            else options.SPLIT_SIZE.option("--split-size", split_size)
        ),
        shared=defaults.shared_files and not local,
        speculate=not no_speculation,
        write_quorum=(
            0  # the inventory's
            if write_quorum is None
            else count(1, len(inventory.replicas)).option("--write-quorum", write_quorum)
        ),
        publish=options.PUBLISH.option("--publish", publish or "all"),
    )
    if update:
        return _revise(
            inventory,
            lambda cluster: revise.update(cluster, request),
            limit=limit,
            no_wait=no_wait,
            as_json=as_json,
        )
    console = Console(stderr=as_json)
    begun: list[str] = []
    with Cluster(inventory) as cluster:
        try:
            job = jobs.start(cluster, request, begun.append)
            known = "attached to it" if job.attached else "started"
            console.print(f"job {job.name}: {known}", highlight=False)
            if no_wait:
                if as_json:
                    print_json({"job": job.name, "attached": job.attached})
                return DONE
            with show.reporter(console) as report:
                progress = follow(cluster, job.spec, report)
        except KeyboardInterrupt:
            if not begun:  # nothing has started anywhere
                raise
            return _interrupted(console, begun[0], as_json)
        answer = _top(cluster, job.name, limit)
        complete = all(outcome["complete"] for outcome in progress.outcomes.values())
        for text in show.summary(job.spec, progress):
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        if as_json:
            print_json(answer | {"complete": complete} | show.figures(job.spec, progress))
        elif limit:
            console.print(show.words(_rows(answer)))
    return DONE if complete else FAILED


def _interrupted(console: Console, job: str, as_json: bool) -> int:
    """Ctrl-C ends the watching only. Raises Interrupted with `as_json`."""
    message = (
        f"job {job} goes on without us; come back with `fab start-job --name {job}`,"
        " or look with `fab status`"
    )
    if as_json:
        raise Interrupted(message) from None
    # A command to copy must stay in one piece.
    console.print(f"\n{message}", highlight=False, markup=False, soft_wrap=True)
    return INTERRUPTED


def _revise(
    inventory: Inventory,
    change: Callable[[Cluster], tuple[Answer, Revision]],
    *,
    limit: int,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Revise a job's files, and follow it until every replica has the new counts."""
    console = Console(stderr=as_json)
    with Cluster(inventory) as cluster:
        spec, changes = change(cluster)
        name = spec["name"]
        console.print(show.revision(name, changes), highlight=False, soft_wrap=True)
        answer: Answer = {"job": name, "files": asdict(changes)}
        complete = True
        if not no_wait:
            with show.reporter(console) as report:
                progress = follow(cluster, spec, report)
            complete = all(outcome["complete"] for outcome in progress.outcomes.values())
            answer |= _top(cluster, name, limit) | {"complete": complete}
            state = "up to date" if complete else "incomplete (fab status tells what was given up)"
            console.print(f"job {name}: {state}", highlight=False, markup=False, soft_wrap=True)
        if as_json:
            print_json(answer)
        elif limit and not no_wait:
            console.print(show.words(_rows(answer)))
    return DONE if complete else FAILED


def retract(
    inventory_path: str | None,
    *,
    input_glob: str | None,
    job: str | None,
    no_wait: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    if not input_glob:
        raise UsageError("--input is missing: name the files to take back, --input '/path/*.txt'")
    return _revise(
        inventory,
        lambda cluster: revise.retract(cluster, job or "", input_glob),
        limit=0,
        no_wait=no_wait,
        as_json=as_json,
    )


def top(
    inventory_path: str | None,
    *,
    job: str | None,
    limit: str | None,
    repair_first: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    most = inventory.job.top if limit is None else options.ROWS.option("--limit", limit)
    with Cluster(inventory) as cluster:
        spec = jobs.require(cluster, job or "")
        answer = _top(cluster, spec["name"], most, repair_first=repair_first)
    if as_json:
        print_json(answer)
    else:
        console = Console()
        for text in repair.lines(answer["repair"], check=False) if repair_first else []:
            console.print(text, highlight=False, markup=False, soft_wrap=True)
        total = "?" if answer["total"] is None else answer["total"]
        state = "complete" if answer["complete"] else "not complete"
        title = f"{answer['job']} on {answer['host']}: {state}, {answer['applied']}/{total} splits"
        console.print(title, highlight=False, markup=False, soft_wrap=True)
        console.print(show.words(_rows(answer)))
    return DONE


def verify(
    inventory_path: str | None,
    *,
    job: str | None,
    limit: str | None,
    without: str | None,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    gone = repair.replica_names("--without", without, inventory)
    if len(gone) == len(inventory.replicas):
        raise UsageError("--without: at least one replica must be left to look at")
    most = options.ROWS.option("--limit", limit or DIFFERENCES)
    console = Console(stderr=as_json)
    started = time.monotonic()
    read: dict[str, int] = {}
    with Cluster(inventory) as cluster, console.status("counting again, serially") as live:

        def report(origin: str, done: int) -> None:
            read[origin] = done
            live.update(f"counting again, serially: {show.size(sum(read.values()))} read")

        answer = proof.verify(cluster, job or "", most, report, gone)
    if as_json:
        print_json(answer)
    else:
        for text in show.verdict(answer, time.monotonic() - started):
            console.print(text, highlight=False, markup=False, soft_wrap=True)
    return proof.EXIT[answer["verdict"]]


def read_repair(
    inventory_path: str | None,
    *,
    job: str | None,
    sources: str | None,
    targets: str | None,
    check: bool,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    givers = repair.replica_names("--from", sources, inventory)
    takers = repair.replica_names("--to", targets, inventory)
    with Cluster(inventory) as cluster:
        if job:
            jobs.require(cluster, job)
        answer = repair.read_repair(cluster, job or "", givers, takers, check=check)
    if as_json:
        print_json(answer)
    else:
        for text in repair.lines(answer, check=check):
            Console().print(text, highlight=False, markup=False, soft_wrap=True)
    return DONE if answer["converged"] else FAILED


def retry_dead(inventory_path: str | None, *, job: str | None, as_json: bool) -> int:
    inventory = open_inventory(inventory_path)
    with Cluster(inventory) as cluster:
        spec, revived = jobs.retry_dead(cluster, job or "")
    name = spec["name"]
    if as_json:
        print_json({"job": name, "revived": revived})
    elif revived:
        print(
            f"job {name}: {revived} splits are tried again; `fab start-job --name {name}` follows"
        )
    else:
        print(f"job {name}: no split was given up")
    return DONE


def status(
    inventory_path: str | None,
    *,
    job: str | None,
    watch: bool,
    every: str | None,
    as_json: bool,
) -> int:
    inventory = open_inventory(inventory_path)
    pause = options.EVERY.option("--every", every or WATCH_SECONDS)
    with Cluster(inventory) as cluster:
        if job:
            jobs.require(cluster, job)
        found = states.gather(cluster, job or "")
        if as_json and not watch:
            print_json(found)
        elif as_json:
            while True:
                print_json(found)
                time.sleep(pause)
                found = states.gather(cluster, job or "")
        elif watch:
            with Live(status_view.render(found), auto_refresh=False) as live:
                while True:
                    time.sleep(pause)
                    live.update(status_view.render(states.gather(cluster, job or "")), refresh=True)
        else:
            Console().print(status_view.render(found))
    healthy = all(host["processes"] for host in found["hosts"].values()) and all(
        replica["reachable"] for replica in found["replicas"].values()
    )
    return DONE if healthy else FAILED
