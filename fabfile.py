"""Every command a person types: parse, call, print. `fab -l` lists them, `fab --help NAME` tells.

Exit codes: 0 done; 1 a check failed or a job is incomplete; 2 wrong usage or could not tell.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from fabric import Connection, task
from invoke.exceptions import Exit

from control import commands as jobs
from provision import commands as hosts

INVENTORY = {"inventory": "the cluster (default: $FAULTLINE_INVENTORY, or inventory.toml here)"}
LIMIT = {"limit": "only these hosts: h1,h2"}
JOB = {"job": "the job's name (default: the latest job)"}
JSON = {"json": "one JSON object on standard output, messages on standard error"}


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
        "process": "redis, driver, worker-0, ..., or supervisord",
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
            no_wait=no_wait,
            as_json=json,
        )
    )


@task(
    name="top",
    help={**INVENTORY, **JSON, **JOB, "limit": "how many words; 0 for all (default: 10)"},
)
def top_task(
    c: Connection,
    job: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Show the most frequent words, also while the job runs.

    Example: fab top --limit 25
    """
    finish(lambda: jobs.top(inventory, job=job, limit=limit, as_json=json))


@task(
    name="verify",
    help={**INVENTORY, **JSON, **JOB, "limit": "how many differences to show (default: 10)"},
)
def verify_task(
    c: Connection,
    job: str | None = None,
    limit: str | None = None,
    json: bool = False,
    inventory: str | None = None,
) -> None:
    """Count all inputs again, serially, and compare every word with every replica.

    Exit codes: 0 equal, 1 different, 2 could not tell.

    Example: fab verify --job books
    """
    finish(lambda: jobs.verify(inventory, job=job, limit=limit, as_json=json))


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
