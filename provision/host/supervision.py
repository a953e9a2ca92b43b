"""supervisord on a host: started when down, told what changed, restarting only what that affects.

Files name what they affect (`notify`), and the runner writes these names into run/pending/ before
it touches the files. They are deleted after the restart, so a run that is killed in between
leaves its debt on the host for the next one.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from provision.host.actions import Action, Command, NoOp, Refused
from provision.host.fact_commands import PYTHON
from provision.host.facts import Facts

RELOAD, UPDATE = "reload", "update"  # supervisord.conf changed; programs.conf changed
REDIS, DRIVER, REPAIR, WORKERS = "redis", "driver", "repair", "workers"
RESTARTS = {REDIS: "redis", DRIVER: "driver", REPAIR: "repair", WORKERS: "workers:*"}
STOPPED = {"STOPPED", "EXITED", "FATAL"}
ANSWER_SECONDS = 60  # an emulated machine needs seconds to start one Python
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
    wanted: list[str],
    unit: str | None,
    keep: str = ":",
) -> Iterator[Action]:
    """supervisord runs, has read its files, and the `wanted` programs are not stopped.

    `unit` is the systemd unit that runs it; None where it is a daemon of its own. `keep` is a
    command that makes what Redis holds survive its restart.
    """
    pending = facts.pending
    clear = f"rm -rf {folder}/run/pending"
    if facts.programs is None:
        # A killed supervisord leaves its programs behind, and Redis its port.
        if f"{folder}/run" in facts.paths:
            yield terminate(folder, users)
        # It listens before it goes into the background, so nothing needs to be waited for.
        # One that a killed run was starting may be first: it will do.
        start = f"{folder}/env/bin/supervisord -c {folder}/etc/supervisord.conf"
        start = f"cd {folder} && {{ {start} || {_answers(folder)}; }}"
        if unit:
            start = (
                f"systemctl daemon-reload && systemctl enable --quiet {unit}"
                f" && systemctl restart {unit} && {_answers(folder)}"
            )
        yield Command("start supervisord", f"{start} && {clear}")
        return
    missing = set(wanted) - facts.programs.keys()
    if RELOAD in pending:
        # The old server must be gone before its successor is asked.
        command = f"{supervisorctl(folder)} reload && sleep 0.2 && {_answers(folder)}"
        if unit:
            command = f"systemctl daemon-reload && systemctl restart {unit} && {_answers(folder)}"
        yield Command("reload supervisord", f"{keep} && {command} && {clear}")
        return
    if UPDATE in pending or missing:
        yield Command(
            "update programs", f"{supervisorctl(folder)} update && {_done(folder, UPDATE)}"
        )
    again = {
        key: name
        for key, name in RESTARTS.items()
        if key in pending and any(_program(one) == key for one in wanted)
    }
    for key, name in again.items():
        before = keep if key == REDIS else ":"
        yield _control(folder, "restart", name, _done(folder, key), before)
    stopped = [name for name in wanted if facts.programs.get(name) in STOPPED]
    for name in stopped:
        if _program(name) not in again:
            yield _control(folder, "start", name)
    if not (pending or missing or stopped):
        yield NoOp("supervisord and its programs run")


def no_stale_faults(facts: Facts, folder: str) -> Iterator[Action]:
    """Faults that nobody else will end, over time or with a dead timer, are ended."""
    if not facts.stale_faults:
        yield NoOp("no fault was left behind")
        return
    names = ", ".join(sorted(facts.stale_faults))
    yield Command(f"end faults left behind: {names}", faults_program(folder, "sweep"))


def port_is_free(facts: Facts, folder: str, address: str, port: int) -> Iterator[Action]:
    """Refused when something that is not ours listens where Redis will."""
    taken = {address, "0.0.0.0", "*", "[::]"}  # noqa: S104 - compared with, not bound to
    for listener in facts.listeners:
        if listener.address in taken and not f"{listener.folder}/".startswith(f"{folder}/"):
            raise Refused(
                f"port {port} on {listener.address} is taken by {listener.process}, which is not"
                " ours: stop it, or choose another [redis] port"
            )
    yield NoOp(f"port {port} is ours to use")


def _program(name: str) -> str:
    """`workers` of `workers:worker-0`."""
    return name.partition(":")[0]


def _done(folder: str, key: str) -> str:
    """A shell command that strikes a restart off what is pending."""
    return f"rm -f {folder}/run/pending/{key}"


def _control(folder: str, verb: str, name: str, then: str = ":", before: str = ":") -> Command:
    log = f"{folder}/log/{name.rpartition(':')[2].replace('*', 'worker-0')}.log"
    return Command(
        f"{verb} {name}",
        f"{{ {before} && {supervisorctl(folder)} {verb} {shlex.quote(name)} && {then}; }}"
        f" || {{ tail -n 5 {log} >&2; exit 1; }}",
    )


def _answers(folder: str) -> str:
    """A shell command that waits until supervisord answers."""
    poll = f"until {supervisorctl(folder)} pid >/dev/null; do sleep 0.1; done"
    failed = f"{{ tail -n 5 {folder}/log/supervisord.log >&2; exit 1; }}"
    return f"{{ timeout {ANSWER_SECONDS} sh -c {shlex.quote(poll)} || {failed}; }}"
