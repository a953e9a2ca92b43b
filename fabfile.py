"""Every command a person types: parse, call, print. `fab -l` lists them, `fab --help NAME` tells.

Exit codes: 0 done; 1 a check failed or a job is incomplete; 2 wrong usage or could not tell;
141 nobody read the output to its end (`fab ... | head`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

from fabric import Connection
from fabric import task as fabric_task
from invoke.exceptions import Exit

from control import commands as jobs
from faults import commands as faults
from faults.network import commands as network
from faults.network.options import Shape
from faults.targets import Selection
from provision import commands as hosts
from provision.output import end_when_unread

INVENTORY = {"inventory": "the cluster (default: $FAULTLINE_INVENTORY, or inventory.toml here)"}
LIMIT = {"limit": "only these hosts: h1,h2"}
JOB = {"job": "the job's name (default: the latest job)"}
JSON = {"json": "one JSON object on standard output, messages on standard error"}

CHOICE = {
    "host": "the host's name (default: the first)",
    "worker": "the worker's number on its host (default: 0)",
}
MANY = {
    **CHOICE,
    "all": "every worker that --host and --worker leave",
    "random": "one of them, by chance",
    "seed": "with --random: makes the same choice again",
}
FOR = {"for_": "seconds until it ends by itself, on the host's own clock (default: 60)"}
DRY = {"dry_run": "tell what would be done, do nothing"}


end_when_unread()

# Without one-letter options: made by chance, they would differ from command to command.
task = partial(fabric_task, auto_shortflags=False)


def finish(call: Callable[[], int]) -> None:
    """Turn a command's exit code, or its error, into ours. FAULTLINE_DEBUG=1 shows tracebacks."""
    try:
        code = call()
    except hosts.UsageError as error:
        raise Exit(str(error), code=2) from None
    except KeyboardInterrupt:
        raise Exit("interrupted: run it again to finish", code=130) from None
    except Exception as error:
        if os.environ.get("FAULTLINE_DEBUG") == "1":
            raise
        message = f"{type(error).__name__}: {error} (FAULTLINE_DEBUG=1 shows where)"
        raise Exit(message, code=2) from None
    sys.stdout.flush()
    if code:
        raise Exit(code=code)


@task(
    name="provision",
    help={
        **INVENTORY,
        **LIMIT,
        **JSON,
        "check": "tell what would change, change nothing",
        "diff": "show how files differ",
    },
)
def provision_task(
    c: Connection,
    inventory: str | None = None,
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    json: bool = False,
) -> None:
    """Bring the hosts to the wanted state; run it again and nothing changes.

    Example: fab provision --check --diff --limit h1,h2
    """
    finish(lambda: hosts.provision(inventory, limit, check=check, diff=diff, as_json=json))


@task(
    name="destroy",
    help={**INVENTORY, **LIMIT, **JSON, "yes": "do not ask"},
)
def destroy_task(
    c: Connection,
    inventory: str | None = None,
    limit: str | None = None,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Remove what provision made, and nothing else. Packages stay.

    Example: fab destroy --yes
    """
    finish(lambda: hosts.destroy(inventory, limit, yes=yes, as_json=json))


@task(name="doctor", help={**INVENTORY, **JSON})
def doctor_task(c: Connection, inventory: str | None = None, json: bool = False) -> None:
    """Check what this machine offers, and what earlier runs left on it.

    Example: fab doctor --json
    """
    finish(lambda: hosts.doctor(inventory, as_json=json))


@task(
    name="logs",
    help={
        **INVENTORY,
        "host": "the host's name",
        "process": "redis, driver, repair, worker-0, ..., or supervisord",
        "follow": "go on with what comes, until Ctrl-C",
        "lines": "how many of the last lines (default 100)",
    },
)
def logs_task(
    c: Connection,
    host: str | None = None,
    process: str | None = None,
    follow: bool = False,
    lines: str = "100",
    inventory: str | None = None,
) -> None:
    """Show a program's log on a host.

    Example: fab logs --host h1 --process worker-0 --follow
    """
    finish(lambda: hosts.logs(inventory, host, process, follow=follow, count=lines))


@task(
    name="start-job",
    help={
        **INVENTORY,
        **JSON,
        "input": "the files to count, a glob; ** crosses folders",
        "name": "the job's name (default: made from the time); a known name attaches to that job",
        "top": "how many words to show at the end (default: 10)",
        "tokenizer": "what a word is: whitespace (default), letters, tweets-csv",
        "encoding_errors": "bytes that are not UTF-8: strict (default) or replace",
        "split_size": "the unit of work: auto (default), or bytes such as 8MB",
        "local": "each host counts its own files that match, instead of all the same ones",
        "no_speculation": "do not run second copies of stragglers (to compare)",
        "write_quorum": "replicas that must have a split before it is done (default: inventory)",
        "publish": "words in Redis' sorted set: all (default), or so many of the most frequent",
        "update": "count what is new, changed or deleted since in the job named by --name",
        "no_wait": "return when the job has started",
    },
)
def start_job_task(
    c: Connection,
    input: str | None = None,
    name: str | None = None,
    top: str | None = None,
    tokenizer: str | None = None,
    encoding_errors: str | None = None,
    split_size: str | None = None,
    local: bool = False,
    no_speculation: bool = False,
    write_quorum: str | None = None,
    publish: str | None = None,
    update: bool = False,
    no_wait: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Count the words of some files, and show the most frequent ones.

    Ctrl-C ends the watching, not the job. Exit code 1: some splits were given up.

    Example: fab start-job --input '/data/books/**/*.txt' --name books --top 20
    """
    finish(
        lambda: jobs.start_job(
            inventory,
            input_glob=input,
            name=name,
            top=top,
            tokenizer=tokenizer,
            encoding_errors=encoding_errors,
            split_size=split_size,
            local=local,
            no_speculation=no_speculation,
            write_quorum=write_quorum,
            publish=publish,
            update=update,
            no_wait=no_wait,
            as_json=json,
        )
    )


@task(
    name="retract",
    help={
        **INVENTORY,
        **JSON,
        **JOB,
        "input": "the files to take back, a glob; they need not be there any more",
        "no_wait": "return when it has begun",
    },
)
def retract_task(
    c: Connection,
    input: str | None = None,
    job: str | None = None,
    no_wait: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Take the counts of some files back out of a job's result.

    Example: fab retract --input '/data/books/draft-*.txt' --job books
    """
    finish(
        lambda: jobs.retract(inventory, input_glob=input, job=job, no_wait=no_wait, as_json=json)
    )


@task(
    name="top",
    help={
        **INVENTORY,
        **JSON,
        **JOB,
        "limit": "how many words; 0 for all (default: 10)",
        "repair": "bring the replicas together first",
    },
)
def top_task(
    c: Connection,
    job: str | None = None,
    limit: str | None = None,
    repair: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Show the most frequent words, also while the job runs.

    Example: fab top --limit 25
    """
    finish(lambda: jobs.top(inventory, job=job, limit=limit, repair_first=repair, as_json=json))


@task(
    name="verify",
    help={
        **INVENTORY,
        **JSON,
        **JOB,
        "limit": "how many differences to show (default: 10)",
        "without": "hosts that are gone for good: h2; others recount their files",
    },
)
def verify_task(
    c: Connection,
    job: str | None = None,
    limit: str | None = None,
    without: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Count all inputs again, serially, and compare every word with every replica.

    Exit codes: 0 equal, 1 different, 2 could not tell.

    Example: fab verify --job books
    """
    finish(lambda: jobs.verify(inventory, job=job, limit=limit, without=without, as_json=json))


@task(
    name="read-repair",
    help={
        **INVENTORY,
        **JSON,
        "job": "the job's name (default: all jobs)",
        "from_": "copy from these replicas only: h1,h2",
        "to": "copy to these replicas only: h3",
        "check": "compare, copy nothing",
    },
)
def read_repair_task(
    c: Connection,
    job: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    check: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Compare the replicas, and copy what some of them lack.

    Exit code 1: the replicas differ still.

    Example: fab read-repair --from h1 --to h2,h3
    """
    finish(
        lambda: jobs.read_repair(
            inventory, job=job, sources=from_, targets=to, check=check, as_json=json
        )
    )


@task(name="retry-dead", help={**INVENTORY, **JSON, **JOB})
def retry_dead_task(
    c: Connection, job: str | None = None, json: bool = False, inventory: str | None = None
) -> None:
    """Try the splits again that a job has given up, once their cause is mended.

    Example: fab retry-dead --job books
    """
    finish(lambda: jobs.retry_dead(inventory, job=job, as_json=json))


@task(
    name="status",
    help={
        **INVENTORY,
        **JSON,
        **JOB,
        "watch": "go on showing it until Ctrl-C",
        "every": "seconds between two looks with --watch (default: 2)",
    },
)
def status_task(
    c: Connection,
    job: str | None = None,
    watch: bool = False,
    every: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Show hosts, supervised processes, replicas and the latest job.

    Exit code 1: a host or a replica does not answer.

    Example: fab status --watch
    """
    finish(lambda: jobs.status(inventory, job=job, watch=watch, every=every, as_json=json))


@task(
    name="slow-worker",
    help={
        **INVENTORY,
        **JSON,
        **MANY,
        **FOR,
        **DRY,
        "cpu": "percent of one core that is left to it: 1 to 100 times the number of cores",
    },
)
def slow_worker_task(
    c: Connection,
    cpu: str | None = None,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    random: bool = False,
    seed: str | None = None,
    for_: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Limit a worker's CPU time by its control group, and measure the effect.

    The limit stays over the worker's restarts. It ends at its deadline, or with restore-worker.

    Example: fab slow-worker --cpu 50 --host h1 --worker 0 --for 120
    """
    selection = Selection(host, worker, all, random, seed)
    finish(
        lambda: faults.slow_worker(
            inventory, selection, cpu=cpu, seconds=for_, dry_run=dry_run, as_json=json
        )
    )


@task(
    name="restore-worker",
    help={**INVENTORY, **JSON, "host": "only there", "worker": "only that", "all": "the default"},
)
def restore_worker_task(
    c: Connection,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """End what slow-worker began, for the workers named or all that are slow.

    Example: fab restore-worker --host h1 --worker 0
    """
    selection = Selection(host, worker)
    finish(lambda: faults.end(inventory, "slow-worker", selection, as_json=json))


@task(name="kill-worker", help={**INVENTORY, **JSON, **MANY, **DRY})
def kill_worker_task(
    c: Connection,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    random: bool = False,
    seed: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Kill a worker by SIGKILL. It is started again; its split is done again after its lease.

    Example: fab kill-worker --random --seed 7
    """
    selection = Selection(host, worker, all, random, seed)
    finish(lambda: faults.kill_worker(inventory, selection, dry_run=dry_run, as_json=json))


@task(name="pause-worker", help={**INVENTORY, **JSON, **MANY, **FOR, **DRY})
def pause_worker_task(
    c: Connection,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    random: bool = False,
    seed: str | None = None,
    for_: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Stop a worker by SIGSTOP. It goes on at its deadline, or with resume-worker.

    Example: fab pause-worker --host h1 --worker 0 --for 20
    """
    selection = Selection(host, worker, all, random, seed)
    finish(
        lambda: faults.pause_worker(
            inventory, selection, seconds=for_, dry_run=dry_run, as_json=json
        )
    )


@task(
    name="resume-worker",
    help={**INVENTORY, **JSON, "host": "only there", "worker": "only that", "all": "the default"},
)
def resume_worker_task(
    c: Connection,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """End what pause-worker began, for the workers named or all that are stopped.

    Example: fab resume-worker --host h1 --worker 0
    """
    selection = Selection(host, worker)
    finish(lambda: faults.end(inventory, "pause-worker", selection, as_json=json))


@task(
    name="crash-worker",
    help={
        **INVENTORY,
        **JSON,
        **MANY,
        **FOR,
        **DRY,
        "at": "after-claim, while-counting, before-commit, between-commits, after-first-ack,"
        " before-ack-handled or before-exit",
        "once": "die there the first time only (the default)",
        "probability": "die there each time with this chance, 0 to 1",
        "off": "take the order back",
    },
)
def crash_worker_task(
    c: Connection,
    at: str | None = None,
    once: bool = False,
    probability: str | None = None,
    off: bool = False,
    host: str | None = None,
    worker: str | None = None,
    all: bool = False,
    random: bool = False,
    seed: str | None = None,
    for_: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Let a worker die at a named place of its code.

    Example: fab crash-worker --at between-commits --host h1 --worker 0
    """
    selection = Selection(host, worker, all, random, seed)
    finish(
        lambda: faults.crash_worker(
            inventory,
            selection,
            at=at,
            once=once,
            probability=probability,
            off=off,
            seconds=for_,
            dry_run=dry_run,
            as_json=json,
        )
    )


@task(
    name="kill-redis",
    help={**INVENTORY, **JSON, **DRY, "host": "the host's name (default: the first)"},
)
def kill_redis_task(
    c: Connection,
    host: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Kill a host's Redis by SIGKILL. It is started again, with its last checkpoint.

    Example: fab kill-redis --host h2
    """
    finish(lambda: faults.kill_redis(inventory, host=host, dry_run=dry_run, as_json=json))


@task(
    name="partition",
    help={
        **INVENTORY,
        **JSON,
        **FOR,
        **DRY,
        "isolate": "these hosts, each without links to any other (default: the last host)",
        "groups": "links within groups only: 'h1|h2,h3'",
        "one_way": "drop what the first sends to the second: h1:h2,h3:h1",
        "links": "cut workers of the first, which may be the same, from Redis of the second: h1:h1",
        "ring": "each host hears a majority, and no two the same one",
        "random": "any set of directed cuts, by chance",
        "seed": "with --random: makes the same choice again",
        "loss": "lose this percentage of the packets only",
        "rate": "nothing is lost, but sent at this rate: 1mbit",
        "delay": "nothing is lost, but sent this much later: 50ms (kernels with netem)",
        "jitter": "with --delay: more or less by this: 10ms",
    },
)
def partition_task(
    c: Connection,
    isolate: str | None = None,
    groups: str | None = None,
    one_way: str | None = None,
    links: str | None = None,
    ring: bool = False,
    random: bool = False,
    seed: str | None = None,
    loss: str | None = None,
    rate: str | None = None,
    delay: str | None = None,
    jitter: str | None = None,
    for_: str | None = None,
    dry_run: bool = False,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Cut links between hosts, or make them bad, and measure the effect.

    Partitions add up. Each ends at its deadline, or with heal.

    Example: fab partition --groups 'h1|h2,h3' --for 120
    """
    shape = Shape(isolate, groups, one_way, links, ring, random, seed, loss, rate, delay, jitter)
    finish(lambda: network.partition(inventory, shape, seconds=for_, dry_run=dry_run, as_json=json))


@task(
    name="heal",
    help={**INVENTORY, **JSON, "only": "the id of one, as status shows it (default: all)"},
)
def heal_task(
    c: Connection, only: str | None = None, json: bool = False, inventory: str | None = None
) -> None:
    """End partitions, and prove that every host reaches every other.

    Exit code 1: some pair of hosts has no connection still.

    Example: fab heal
    """
    finish(lambda: network.heal(inventory, only=only, as_json=json))
