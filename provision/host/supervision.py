"""supervisord on a host: started when it is down; only programs whose files changed are restarted.

Each file names the programs that read it (`notify`). The runner writes these names into
run/pending/ before it changes the file, and each is deleted after its restart. So when a run is
killed in between, the next run does the restarts that are still pending.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from provision.host.actions import Action, Command, NoOp
from provision.host.fact_commands import PYTHON
from provision.host.facts import Facts

RELOAD, UPDATE = "reload", "update"  # supervisord.conf changed; programs.conf changed
REDIS, DRIVER, REPAIR, WORKERS = "redis", "driver", "repair", "workers"
RESTARTS = {REDIS: "redis", DRIVER: "driver", REPAIR: "repair", WORKERS: "workers:*"}
STOPPED = {"STOPPED", "EXITED", "FATAL"}
START_SECONDS = 60  # on an emulated machine one Python takes seconds to start
TERMINATE = Path(__file__).with_name("terminate.py")


def supervisorctl(folder: str) -> str:
    """The command line that talks to a host's supervisord, for root on that host."""
    return f"{folder}/env/bin/supervisorctl -c {folder}/etc/supervisord.conf"


def faults_program(folder: str, verb: str, *words: str) -> str:
    """The command line on a host that lists and ends its faults."""
    python = f"{folder}/env/bin/python"
    return shlex.join([python, "-I", "-m", "faults.host", verb, "--data", folder, *words])


def terminate(folder: str, users: list[str], *, now: bool = False) -> Command:
    """End the processes of a data folder; with `now` by SIGKILL, so that Redis saves nothing."""
    uids = " ".join(f"$(id -u {user} 2>/dev/null)" for user in users)
    flag = " --now" if now else ""
    return Command(
        f"end the processes of {folder}",
        f"{PYTHON} -I - {folder} {uids}{flag}",
        stdin=TERMINATE.read_text(encoding="utf-8"),
    )


def supervised(
    facts: Facts,
    folder: str,
    users: list[str],
    programs: list[str],
    unit: str | None,
    save_redis: str = ":",
) -> Iterator[Action]:
    """supervisord runs, has read its files, and none of the `programs` is stopped.

    `users` are those whose processes are ended before a supervisord that died is started again.
    `unit` is the systemd unit of supervisord; None where supervisord is a daemon of its own.
    `save_redis` is a command that is run before Redis is restarted.
    """
    pending = facts.pending
    clear = f"rm -rf {folder}/run/pending"
    if facts.programs is None:
        # A killed supervisord leaves its programs running, among them Redis with its port.
        if f"{folder}/run" in facts.paths:
            yield terminate(folder, users)
        # It listens before it goes into the background, so there is nothing to wait for. It fails
        # when one that a killed run started is first: that one is waited for.
        start = f"{folder}/env/bin/supervisord -c {folder}/etc/supervisord.conf"
        start = f"cd {folder} && {{ {start} || {_wait(folder)}; }}"
        if unit:
            start = (
                f"systemctl daemon-reload && systemctl enable --quiet {unit}"
                f" && systemctl restart {unit} && {_wait(folder)}"
            )
        yield Command("start supervisord", f"{start} && {clear}")
        return
    missing = set(programs) - facts.programs.keys()
    if RELOAD in pending:
        # The sleep is for the old server to close its socket, or it would be the one that answers.
        command = f"{supervisorctl(folder)} reload && sleep 0.2 && {_wait(folder)}"
        if unit:
            command = f"systemctl daemon-reload && systemctl restart {unit} && {_wait(folder)}"
        yield Command("reload supervisord", f"{save_redis} && {command} && {clear}")
        return
    if UPDATE in pending or missing:
        yield Command(
            "update programs", f"{supervisorctl(folder)} update && {_not_pending(folder, UPDATE)}"
        )
    restarts = {_group(name) for name in programs} & pending
    for key, name in RESTARTS.items():
        if key in restarts:
            before = save_redis if key == REDIS else ":"
            yield _control(folder, "restart", name, _not_pending(folder, key), before)
    stopped = [name for name in programs if facts.programs.get(name) in STOPPED]
    for name in stopped:
        if _group(name) not in restarts:
            yield _control(folder, "start", name)
    if not (pending or missing or stopped):
        yield NoOp("supervisord and its programs run")


def no_stale_faults(facts: Facts, folder: str) -> Iterator[Action]:
    """No fault is past its deadline, or without the timer that would end it."""
    if not facts.stale_faults:
        yield NoOp("no fault was left behind")
        return
    names = ", ".join(sorted(facts.stale_faults))
    yield Command(f"end faults left behind: {names}", faults_program(folder, "sweep"))


def _group(name: str) -> str:
    """`workers` of `workers:worker-0`."""
    return name.partition(":")[0]


def _not_pending(folder: str, key: str) -> str:
    """A shell command that removes a restart from those that are pending."""
    return f"rm -f {folder}/run/pending/{key}"


def _control(folder: str, verb: str, name: str, then: str = ":", before: str = ":") -> Command:
    log = f"{folder}/log/{name.rpartition(':')[2].replace('*', 'worker-0')}.log"
    return Command(
        f"{verb} {name}",
        f"{{ {before} && {supervisorctl(folder)} {verb} {shlex.quote(name)} && {then}; }}"
        f" || {{ tail -n 5 {log} >&2; exit 1; }}",
    )


def _wait(folder: str) -> str:
    """A shell command that waits until supervisord answers."""
    poll = f"until {supervisorctl(folder)} pid >/dev/null; do sleep 0.1; done"
    failed = f"{{ tail -n 5 {folder}/log/supervisord.log >&2; exit 1; }}"
    return f"{{ timeout {START_SECONDS} sh -c {shlex.quote(poll)} || {failed}; }}"
