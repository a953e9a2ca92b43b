"""What happens in a soak: jobs, and faults meanwhile."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.soak.commands import Commands, Finding
from tests.soak.inputs import Inputs
from wc.worker import crash_points

HOSTS = ("h1", "h2", "h3")
KEPT_JOBS = 5
#: A fault lasts so long at most, seconds; and so long is waited between two.
FAULT_SECONDS, PAUSE_SECONDS = 20, 2.0


@dataclass
class Job:
    name: str
    inputs: Inputs
    options: tuple[str, ...]

    def typed(self) -> tuple[str, ...]:
        """The command that starts it, or attaches to it."""
        return (*self.revised(), *self.options)

    def revised(self) -> tuple[str, ...]:
        """Without the options that it keeps."""
        return ("start-job", "--name", self.name, "--input", f"{self.inputs.folder}/**/*.txt")


class Soak:
    """A cluster that is kept busy and broken. ``folder``: where its jobs' files are made."""

    def __init__(self, commands: Commands, random: Random, folder: Path) -> None:
        self._commands, self._random, self._folder = commands, random, folder
        self._jobs: list[Job] = []
        self.rounds = self._verified = self._faults = self._replaced = 0

    def round(self) -> None:
        """Begin, update or retract; break; heal; wait; verify. Raises Finding."""
        self.rounds += 1
        changed = [self._begin()]
        if self._jobs and self._random.random() < 0.7:
            changed.append(self._revise(self._random.choice(self._jobs)))
        self._jobs += [job for job in changed if job not in self._jobs]
        if self._random.random() < 0.2:
            cancelled = self._begin("cancelled")
            ended = self._commands.fab("cancel-job", "--job", cancelled.name, codes=(0, 2))
            if ended.returncode:
                self._commands.fab("delete-job", "--job", cancelled.name)
        for _ in range(self._random.randint(1, 5)):
            self._break()
            # Not for anything to be done by then: what is broken is to last different times.
            time.sleep(self._random.uniform(0, PAUSE_SECONDS))
        if self._random.random() < 0.25:
            self._replace(self._random.choice(HOSTS))
        if self._random.random() < 0.5:  # else faults end by themselves
            self._heal()
        for job in self._jobs:
            self._finish(job)
        self._heal()
        for job in {*(job.name for job in changed), self._random.choice(self._jobs).name}:
            self._verify(job)
        while len(self._jobs) > KEPT_JOBS:
            gone = self._jobs.pop(self._random.randrange(len(self._jobs)))
            self._commands.fab("delete-job", "--job", gone.name)
        self._check_list()

    def summary(self) -> str:
        typed = sum(self._commands.typed.values())
        return (
            f"{self.rounds} rounds, {typed} commands, {self._faults} faults, {self._replaced} hosts"
            f" replaced, {self._verified} times verified equal"
        )

    def _begin(self, kind: str = "soak") -> Job:
        options = ["--split-size", str(self._random.choice([4096, 65536, 1 << 20]))]
        if self._random.random() < 0.3:
            options += ["--tokenizer", "letters"]
        if self._random.random() < 0.3:
            options += ["--write-quorum", "2"]
        if self._random.random() < 0.3:
            options += ["--publish", self._random.choice(["all", "100"])]
        name = f"{kind}-{self.rounds}"
        job = Job(name, Inputs(self._folder / name, self._random), tuple(options))
        self._commands.fab(*job.typed(), "--no-wait")
        return job

    def _revise(self, job: Job) -> Job:
        if self._random.random() < 0.4:
            gone = job.inputs.delete()
            self._commands.fab(
                "retract", "--job", job.name, "--input", str(gone), "--no-wait", codes=(0,)
            )
        else:
            job.inputs.change()
            self._commands.fab(*job.revised(), "--update", "--no-wait")
        return job

    def _break(self) -> None:
        self._faults += 1
        choices: list[Callable[[], list[str]]] = [
            lambda: ["kill-worker", "--random", *self._seed()],
            lambda: ["kill-worker", "--all"],
            lambda: ["pause-worker", "--random", *self._seed(), *self._for()],
            lambda: ["slow-worker", "--cpu", "20", "--random", *self._seed(), *self._for()],
            lambda: ["crash-worker", "--at", self._random.choice(crash_points.NAMES), "--random",
                     *self._seed(), *self._for()],
            lambda: ["kill-redis", "--host", self._random.choice(HOSTS)],
            lambda: ["partition", "--random", *self._seed(), *self._for()],
            lambda: ["partition", "--isolate", self._random.choice(HOSTS), *self._for()],
            lambda: ["partition", "--ring", *self._for()],
            lambda: ["partition", "--loss", "30", *self._for()],
            lambda: ["partition", "--rate", "1mbit", *self._for()],
            lambda: ["partition", "--links", "h1:h1,h2:h3", *self._for()],
            lambda: ["heal"],
        ]  # fmt: skip
        # 1: the fault was made, and had no effect that could be measured, as on an ended worker.
        self._commands.fab(*self._random.choice(choices)(), codes=(0, 1))

    def _seed(self) -> list[str]:
        return ["--seed", str(self._random.randint(0, 9999))]

    def _for(self) -> list[str]:
        return ["--for", str(self._random.randint(2, FAULT_SECONDS))]

    def _replace(self, host: str) -> None:
        """Destroy a host and make it anew. First the others get what only it has: a host that is
        gone for good takes its uncopied results with it, which are then counted again."""
        self._heal()
        self._replaced += 1
        self._commands.fab("destroy", "--limit", host, "--yes")
        self._commands.fab("provision")

    def _heal(self) -> None:
        def healed() -> subprocess.CompletedProcess[str]:
            return self._commands.fab("heal", codes=(0, 1))

        self._commands.fab("restore-worker")
        self._commands.fab("resume-worker")
        self._commands.fab("crash-worker", "--off", "--all")
        self._commands.until("heal", lambda: healed().returncode == 0, lambda: healed().stdout)

    def _finish(self, job: Job) -> None:
        """Wait until it is done, as a person does: by attaching to it."""
        answer = self._commands.json(*job.typed(), codes=(0, 1))
        if answer.get("dead"):  # delivered too often, by that many faults
            self._commands.fab("retry-dead", "--job", job.name)
            answer = self._commands.json(*job.typed())
        if not answer.get("complete"):
            raise Finding(f"{job.name} ended incomplete: {answer}")

    def _verify(self, name: str) -> None:
        self._commands.fab("verify", "--job", name)
        self._verified += 1

    def _check_list(self) -> None:
        """The jobs that there should be, and no other."""
        listed = {job["name"] for job in self._commands.json("jobs")["jobs"]}
        expected = {job.name for job in self._jobs}
        if listed != expected:
            raise Finding(f"jobs lists {sorted(listed)}, expected {sorted(expected)}")
