"""The commands of a soak, as a person types them, each with a deadline."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from tests.netns import TestCluster

#: A command that lasts longer hangs, and a job that is not done by then: other work may share the
#: machine, so this says nothing of speed.
COMMAND_SECONDS, JOB_SECONDS = 300.0, 300.0


class Finding(Exception):
    """What a soak is for: something that was wrong."""


class Commands:
    """`fab` with the soak's inventory. ``begun`` is the monotonic time of the soak's beginning."""

    def __init__(self, cluster: TestCluster, begun: float) -> None:
        self._cluster, self._begun = cluster, begun
        self.typed: Counter[str] = Counter()

    def seconds(self) -> float:
        """Since the soak began."""
        return time.monotonic() - self._begun

    def say(self, text: str) -> None:
        print(f"{self.seconds():7.1f}  {text}", flush=True)

    def fab(self, *typed: str, codes: Collection[int] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run a command. Raises Finding unless it ends in time, with one of these exit codes."""
        self.typed[typed[0]] += 1
        line = f"fab {' '.join(typed)}"
        try:
            done = subprocess.run(
                self._cluster.command(*typed),
                cwd=self._cluster.checkout,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Finding(f"{line} hangs: {error.stdout!r} {error.stderr!r}") from None
        self.say(f"{line}" + (f"  exit {done.returncode}" if done.returncode else ""))
        if done.returncode not in codes:
            raise Finding(f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *typed: str, codes: Collection[int] = (0,)) -> dict[str, Any]:
        """What a command prints with --json. Raises Finding as ``fab``, and if it is not that."""
        done = self.fab(*typed, "--json", codes=codes)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise Finding(f"fab {' '.join(typed)} --json printed {done.stdout[:500]!r}") from None
        if not isinstance(answer, dict):
            raise Finding(f"fab {' '.join(typed)} --json printed no object")
        return answer

    def until(self, what: str, condition: Callable[[], bool], last: Callable[[], object]) -> None:
        """Poll. Raises Finding with what ``last`` says if it is not so within JOB_SECONDS."""
        deadline = time.monotonic() + JOB_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise Finding(f"not within {JOB_SECONDS:g} s: {what}\n{last()}")
            time.sleep(0.5)
