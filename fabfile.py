"""Every command a person types: `fab -l` lists them, `fab --help NAME` explains one.

Exit codes: 0 done; 1 a check failed or a job is incomplete; 2 wrong usage or could not tell;
130 interrupted; 141 nobody read the output to its end (`fab ... | head`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fabric import task  # type: ignore[import-untyped]
from invoke.exceptions import Exit

from control import program
from provision.exit_codes import exit_code
from provision.output import end_when_unread

end_when_unread()
program.adopt()


@dataclass(frozen=True)
class Option:
    """One option of a command. `--dry-run` is named dry_run, and `--for`, a keyword, for_."""

    name: str
    help: str
    parameter: str = ""
    """The name of the command's parameter, where it is not the option's."""
    default: str | bool | None = None
    repeated: bool = False
    """Whether it may be given several times: the parameter is a list."""


def flag(name: str, help: str, parameter: str = "") -> Option:
    return Option(name, help, parameter, False)


INVENTORY = Option(
    "inventory",
    "the cluster (default: $FAULTLINE_INVENTORY, inventory.toml here, or the one that came along)",
    "inventory_path",
)
JSON = flag("json", "one JSON object on standard output, messages on standard error", "as_json")
LIMIT = Option("limit", "only these hosts: h1,h2")
JOB = Option("job", "the job's name (default: the latest job)")
HOST = Option("host", "the host's name (default: the first)")
SEED = Option("seed", "with --random: makes the same choice again")
WORKERS = (
    HOST,
    Option("worker", "the worker's number on its host (default: 0)"),
    flag("all", "every worker that --host and --worker leave"),
    flag("random", "one of them, by chance"),
    SEED,
)
PROGRAM = (HOST, flag("random", "one of them, by chance"), SEED)
SLOWED = (Option("host", "only there"), Option("worker", "only that"), flag("all", "the default"))
FOR = Option(
    "for_",
    "until it ends by itself, on the host's own clock: 90 or 90s, 20m, 1h (default: 60)",
    "seconds",
)
DRY = flag("dry_run", "tell what would be done, do nothing")


def command(*options: Option, json: bool = True) -> Callable[[Callable[..., int]], Any]:
    """Declare a task with these options and `--inventory`, and `--json` unless it has none.

    The decorated function gets an argument for each option and returns the exit code. Its name
    and its docstring are the task's.
    """
    chosen = (*options, INVENTORY, JSON) if json else (*options, INVENTORY)

    def declare(function: Callable[..., int]) -> Any:
        def run(c: object, **typed: Any) -> None:
            given = {option.parameter or option.name: typed[option.name] for option in chosen}
            if code := exit_code(lambda: function(**given), as_json=typed.get("json", False)):
                raise Exit(code=code)

        # invoke reads a task's options from its signature.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        optional = [inspect.Parameter(o.name, kind, default=o.default) for o in chosen]
        signature = inspect.Signature([inspect.Parameter("c", kind), *optional])
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__doc__ = function.__doc__
        # No one-letter options: made by invoke, they would differ from command to command.
        declared = task(
            name=function.__name__.replace("_", "-"),
            help={option.name: option.help for option in chosen},
            iterable=[option.name for option in chosen if option.repeated],
            auto_shortflags=False,
        )
        return declared(run)

    return declare


def call(path: str, *typed: Any, **given: Any) -> int:
    """The exit code of the function of that dotted path. Its module is imported now, and no other
    command's: importing all of them takes longer than most commands."""
    module, _, name = path.rpartition(".")
    code: int = getattr(import_module(module), name)(*typed, **given)
    return code


def selection(*typed: Any) -> Any:
    """Which workers a fault is for: host, worker, all, random, seed."""
    from faults.targets import Selection  # noqa: PLC0415 - as above

    return Selection(*typed)


@command(
    LIMIT,
    flag("check", "tell what would change, change nothing"),
    flag("diff", "show how files differ"),
)
def provision(**given: Any) -> int:
    """Bring the hosts to the wanted state; run it again and nothing changes.

    Example: fab provision --check --diff --limit h1,h2
    """
    return call("provision.commands.provision", **given)


@command(
    LIMIT,
    flag("yes", "do not ask"),
    flag("orphans", "only hosts of the cluster that the inventory does not have any more"),
)
def destroy(**given: Any) -> int:
    """Remove what provision made, and nothing else. Packages stay.

    Example: fab destroy --yes
    """
    return call("provision.commands.destroy", **given)


@command()
def doctor(**given: Any) -> int:
    """Check what this machine offers, and what earlier runs left on it.

    Example: fab doctor --json
    """
    return call("provision.commands.doctor", **given)


@command(
    Option("host", "the host's name", "host_name"),
    Option("process", "redis, driver, commands, repair, worker-0, ..., or supervisord", "program"),
    flag("follow", "go on with what comes, until Ctrl-C"),
    Option("lines", "how many of the last lines (default 100)", "count", "100"),
    json=False,
)
def logs(**given: Any) -> int:
    """Show a program's log on a host.

    Example: fab logs --host h1 --process worker-0 --follow
    """
    return call("provision.commands.logs", **given)


@command(
    Option(
        "input",
        "the files to count, a quoted glob: ** crosses folders, {a,b} is both; may be repeated",
        "inputs",
        repeated=True,
    ),
    Option(
        "name", "the job's name (default: made from the time); a known name attaches to that job"
    ),
    Option("top", "how many words to show at the end; 0 for none, or all (default: 10)"),
    Option("tokenizer", "what a word is: whitespace (default), letters, tweets-csv"),
    Option("encoding_errors", "bytes that are not UTF-8: strict (default) or replace"),
    Option("split_size", "the unit of work: auto (default), or bytes: 65536, 8MB (10^6), 8MiB"),
    flag("local", "each host counts its own files that match, instead of all the same ones"),
    flag("no_speculation", "do not run speculative copies of stragglers (to compare)"),
    Option(
        "write_quorum", "replicas that must have a split before it is done (default: inventory)"
    ),
    Option("workers", "how many workers count, taken from the hosts in turn (default: all)"),
    Option(
        "publish",
        "words in Redis' sorted set: so many of the most frequent, all, or auto (default): 100000",
    ),
    flag("update", "count what is new, changed or deleted since in the job named by --name"),
    flag("replace", "delete the job of that name, which has ended, and count all files anew"),
    flag("no_wait", "return when the job has started"),
)
def start_job(**given: Any) -> int:
    """Count the words of some files, and show the most frequent ones.

    Ctrl-C ends the watching, not the job. Exit code 1: some splits were given up; or the job was
    there before, and its files have changed since.

    Example: fab start-job --input '/data/books/**/*.txt' --name books --top 20
    """
    return call("control.commands.jobs.start_job", **given)


@command(
    Option(
        "input",
        "the files to retract, a glob, may be repeated; they need not be there any more",
        "inputs",
        repeated=True,
    ),
    JOB,
    flag("no_wait", "return when it has begun"),
)
def retract(**given: Any) -> int:
    """Take the counts of some files back out of a job's result.

    Example: fab retract --input '/data/books/draft-*.txt' --job books
    """
    return call("control.commands.jobs.retract", **given)


@command(
    JOB,
    Option("limit", "how many words; 0 for all (default: 10)"),
    flag("repair", "bring the replicas together first", "repair_first"),
)
def top(**given: Any) -> int:
    """Show the most frequent words, also while the job runs.

    Example: fab top --limit 25
    """
    return call("control.commands.results.top", **given)


@command(
    Option("words", "the words, separated by blanks"),
    Option("word", "one word as it is, also empty or with blanks; may be repeated", repeated=True),
    JOB,
)
def count(**given: Any) -> int:
    """Show how often words were counted, also words that are not in the sorted set.

    A word is looked up as typed. Words of a `letters` job are in lower case.

    Example: fab count --words 'the of'
    """
    return call("control.commands.results.count", **given)


@command(
    JOB,
    Option("limit", "how many differences to show (default: 10)"),
    Option("without", "hosts that are gone for good: h2; others recount their files"),
)
def verify(**given: Any) -> int:
    """Count all inputs again, serially, and compare every word with every replica.

    Exit codes: 0 equal, 1 different, 2 could not tell.

    Example: fab verify --job books
    """
    return call("control.commands.results.verify", **given)


@command(
    Option("job", "the job's name (default: all jobs)"),
    Option("from_", "copy from these replicas only: h1,h2", "sources"),
    Option("to", "copy to these replicas only: h3", "targets"),
    flag("check", "compare, copy nothing"),
)
def read_repair(**given: Any) -> int:
    """Compare the replicas, and copy what some of them lack.

    Exit code 1: the replicas differ still.

    Example: fab read-repair --from h1 --to h2,h3
    """
    return call("control.commands.results.read_repair", **given)


@command(HOST)
def connect(**given: Any) -> int:
    """Tell how to read a host's Redis by redis-cli or from Python, as a user who may only read.

    Example: fab connect --host h1
    """
    return call("control.commands.connect.connect", **given)


@command()
def jobs(**given: Any) -> int:
    """List all jobs: state, files, bytes, distinct words, age, and memory in Redis.

    Exit code 1: a host does not answer.

    Example: fab jobs --json
    """
    return call("control.commands.job_list.jobs", **given)


@command(
    Option("job", "the job's name"),
    Option("older_than", "all that were started longer ago, and have ended: 7d, 12h"),
    Option("all_but", "all that have ended, but for so many of the latest jobs: 10"),
    DRY,
)
def delete_job(**given: Any) -> int:
    """Delete jobs that have ended: from every Redis, and their folders on all hosts.

    A host that is away deletes them once it is back.

    Example: fab delete-job --older-than 7d
    """
    return call("control.commands.job_list.delete_job", **given)


@command(Option("job", "the job's name"))
def cancel_job(**given: Any) -> int:
    """End a job that runs, and delete what it has counted, as delete-job does.

    Example: fab cancel-job --job books
    """
    return call("control.commands.job_list.cancel_job", **given)


@command(JOB)
def retry_dead(**given: Any) -> int:
    """Try the splits again that a job has given up, once their cause is mended.

    Example: fab retry-dead --job books
    """
    return call("control.commands.jobs.retry_dead", **given)


@command(
    JOB,
    flag("watch", "go on showing it until Ctrl-C"),
    Option("every", "with --watch, between two updates: 2 or 2s, 500ms, 1m (default: 2)"),
)
def status(**given: Any) -> int:
    """Show hosts, supervised processes, replicas and the latest job.

    Exit code 1: a host or a replica does not answer.

    Example: fab status --watch
    """
    return call("control.commands.status.status", **given)


@command(
    Option("cpu", "percent of one core that is left to it: 1 to 100 times the number of cores"),
    Option("to", "instead: percent of what it gets now, which is measured: 50%"),
    *WORKERS,
    FOR,
    DRY,
)
def slow_worker(host: str, worker: str, all: bool, random: bool, seed: str, **given: Any) -> int:
    """Limit a worker's CPU time by its control group, and measure the effect.

    The limit stays over the worker's restarts. It ends at its deadline, or with restore-worker.

    Example: fab slow-worker --cpu 50 --host h1 --worker 0 --for 120
    """
    return call(
        "faults.commands.slow_worker", selection=selection(host, worker, all, random, seed), **given
    )


@command(*SLOWED)
def restore_worker(host: str, worker: str, all: bool, **given: Any) -> int:
    """End what slow-worker began, for the workers named or all that are slow.

    Example: fab restore-worker --host h1 --worker 0
    """
    return call(
        "faults.commands.end", kind="slow-worker", selection=selection(host, worker), **given
    )


@command(*WORKERS, DRY)
def kill_worker(host: str, worker: str, all: bool, random: bool, seed: str, **given: Any) -> int:
    """Kill a worker by SIGKILL. It is started again; its split is done again after its lease.

    Example: fab kill-worker --random --seed 7
    """
    return call(
        "faults.commands.kill_worker", selection=selection(host, worker, all, random, seed), **given
    )


@command(*WORKERS, FOR, DRY)
def pause_worker(host: str, worker: str, all: bool, random: bool, seed: str, **given: Any) -> int:
    """Stop a worker by SIGSTOP. It goes on at its deadline, or with resume-worker.

    Example: fab pause-worker --host h1 --worker 0 --for 20
    """
    return call(
        "faults.commands.pause_worker",
        selection=selection(host, worker, all, random, seed),
        **given,
    )


@command(*SLOWED)
def resume_worker(host: str, worker: str, all: bool, **given: Any) -> int:
    """End what pause-worker began, for the workers named or all that are stopped.

    Example: fab resume-worker --host h1 --worker 0
    """
    return call(
        "faults.commands.end", kind="pause-worker", selection=selection(host, worker), **given
    )


@command(
    Option(
        "at",
        "after-claim, while-counting, before-commit, between-commits, after-first-ack,"
        " before-ack-handled or before-exit",
    ),
    flag("once", "die there the first time only (the default)"),
    Option("probability", "die there each time with this chance, 0 to 1"),
    flag("off", "take the order back"),
    *WORKERS,
    FOR,
    DRY,
)
def crash_worker(host: str, worker: str, all: bool, random: bool, seed: str, **given: Any) -> int:
    """Let a worker die at a named place of its code.

    Example: fab crash-worker --at between-commits --host h1 --worker 0
    """
    return call(
        "faults.commands.crash_worker",
        selection=selection(host, worker, all, random, seed),
        **given,
    )


@command(*PROGRAM, DRY)
def kill_redis(host: str, random: bool, seed: str, **given: Any) -> int:
    """Kill a host's Redis by SIGKILL. It is started again, with its last checkpoint.

    Example: fab kill-redis --host h2
    """
    chosen = selection(host, None, False, random, seed)
    return call("faults.commands.kill_program", name="redis", selection=chosen, **given)


@command(*PROGRAM, DRY)
def kill_driver(host: str, random: bool, seed: str, **given: Any) -> int:
    """Kill a host's driver by SIGKILL. It is started again, and goes on from its manifest.

    Example: fab kill-driver --random --seed 7
    """
    chosen = selection(host, None, False, random, seed)
    return call("faults.commands.kill_program", name="driver", selection=chosen, **given)


@command(
    Option("isolate", "these hosts, each without links to any other (default: the last host)"),
    Option("groups", "links within groups only: 'h1|h2,h3'"),
    Option("one_way", "drop what the first sends to the second: h1:h2,h3:h1"),
    Option(
        "links",
        "cut workers of the first, which may be the same, from Redis of the second: h1:h1",
    ),
    flag("ring", "each host hears a majority, and no two the same one"),
    flag("random", "any set of directed cuts, by chance", "at_random"),
    SEED,
    Option("loss", "lose this percentage of the packets only"),
    Option("rate", "nothing is lost, but sent at this rate: 1mbit"),
    Option("delay", "nothing is lost, but sent this much later: 50ms (kernels with netem)"),
    Option("jitter", "with --delay: more or less by this: 10ms"),
    FOR,
    DRY,
)
def partition(inventory_path: str, seconds: str, dry_run: bool, as_json: bool, **typed: Any) -> int:
    """Cut links between hosts, or make them bad, and measure the effect.

    Partitions add up. Each ends at its deadline, or with heal.

    Example: fab partition --groups 'h1|h2,h3' --for 120
    """
    from faults.network.options import Shape  # noqa: PLC0415 - as in `call`

    return call(
        "faults.network.commands.partition",
        inventory_path,
        Shape(**typed),
        seconds=seconds,
        dry_run=dry_run,
        as_json=as_json,
    )


@command(Option("only", "the id of one, as status shows it (default: all)"))
def heal(**given: Any) -> int:
    """End partitions, and prove that every host reaches every other.

    Exit code 1: some pair of hosts has no connection still.

    Example: fab heal
    """
    return call("faults.network.commands.heal", **given)
