"""pause-worker, kill-worker, kill-redis and kill-driver: faults that are a signal.

A process is identified by its id and its start time, so a worker that was restarted meanwhile is
never signalled by mistake.
"""

from __future__ import annotations

from faults.registry import Harm, fault
from faults.targets import Target


@fault("pause-worker", needs="a running worker", ends="fab resume-worker")
def pause_worker(target: Target) -> Harm:
    signal = target.tool("faults.host", "signal")
    return Harm(
        text="stopped by SIGSTOP",
        before=target.process,
        apply=f"{signal} STOP $FAULT_BEFORE",
        heal=f"{signal} CONT $FAULT_BEFORE",
    )


def _kill(target: Target) -> Harm:
    signal = target.tool("faults.host", "signal")
    return Harm(
        text="killed by SIGKILL",
        apply=f'process=$({target.process}) && {signal} KILL $process && echo "$process"',
    )


@fault("kill-worker", needs="a running worker", seconds=0)
def kill_worker(target: Target) -> Harm:
    return _kill(target)


@fault("kill-redis", needs="a running Redis", seconds=0)
def kill_redis(target: Target) -> Harm:
    return _kill(target)


@fault("kill-driver", needs="a running driver", seconds=0)
def kill_driver(target: Target) -> Harm:
    return _kill(target)
