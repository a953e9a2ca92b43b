"""Faultline's own runs: jobs on clusters made for the measurement, each on an empty Redis.

A job leaves its results in Redis, and checkpoints write all of it. So between two jobs the
programs are stopped, their data are removed, and `fab provision` brings the host up again: each
job finds what the first one found, with workers that are up and wait.
"""

from __future__ import annotations

import itertools
import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.harness import Bench, cluster
from bench.memory import Peak, processes_naming, sample, tree
from bench.peers.answer import TOP, answer
from bench.suite.corpora import Corpus
from bench.suite.systems import SHOWN, Ran
from provision.connect.factory import connect
from provision.host.supervision import supervisorctl
from provision.inventory.model import load

PUBLISHED = Path(__file__).with_name("published_counts.py")
STOP = "{control} stop all"
COUNTED, COMMAND = "counted", "whole command"
NUMBERS = itertools.count(1)


class Jobs:
    """One cluster, and jobs on it. ``kernel`` is the one its hosts count with, once one has run."""

    def __init__(self, bench: Bench, idle: int) -> None:
        self._bench = bench
        self._inventory = load(bench.inventory)
        self._idle = idle
        self._fresh = False
        self.kernel = ""
        self.reset()

    def reset(self) -> None:
        """As it was provisioned: no job, nothing in Redis."""
        empty = "for d in jobs redis; do find {}/$d -mindepth 1 -delete 2>/dev/null || true; done"
        # All are stopped before one is emptied: those that run would fill it again.
        for order in (STOP, empty, "{control} start all"):
            self._order(order)
        self._bench.fab("provision")
        self._stop_idle()
        self._fresh = True

    def _order(self, order: str) -> None:
        for host in self._inventory.hosts:
            folder = self._inventory.folder(host)
            command = order.format(shlex.quote(str(folder)), control=supervisorctl(folder))
            with connect(self._inventory, host) as connector:
                connector.run(command, timeout=120)

    def _stop_idle(self) -> None:
        """per_host is the same on all hosts; fewer workers in all are had by stopping some."""
        for host in self._inventory.hosts[::-1][: self._idle]:
            with connect(self._inventory, host) as connector:
                connector.run(f"{supervisorctl(self._inventory.folder(host))} stop workers:*")

    def run(self, corpus: Corpus, *, memory: bool = False, publish: str = "all") -> Ran:
        """Count a corpus. Seconds are from the submission to the job's end, when all replicas have
        published what ``publish`` says; and until all had every count and a driver had summed
        them up."""
        if not self._fresh:
            self.reset()
        self._fresh = False
        name = f"run-{next(NUMBERS)}"
        try:
            if memory:
                with sample(self._processes) as peak:
                    return self._job(name, corpus, publish, peak)
            return self._job(name, corpus, publish, None)
        except RuntimeError as error:
            return Ran(error=" ".join(str(error).split())[-SHOWN:])
        finally:
            # Checkpoints and compaction follow a job, and would take time from whoever is next.
            self._order(STOP)

    def _job(self, name: str, corpus: Corpus, publish: str, peak: Peak | None) -> Ran:
        begun = time.perf_counter()
        figures = self._bench.job(corpus.pattern, "--name", name, "--publish", publish)
        command = time.perf_counter() - begun
        memory = peak.size if peak else 0  # before the result is read
        states = list(self._bench.states(name).values())
        if len({state["digest"] for state in states}) != 1:
            return Ran(error="the replicas' digests differ")
        return Ran(
            figures["seconds"],
            self._answer(name),
            memory,
            more={COUNTED: figures["counted"], COMMAND: command},
        )

    def _answer(self, name: str) -> dict[str, object]:
        host = self._inventory.replicas[0]
        folder = self._inventory.folder(host)
        words = [f"{folder}/env/bin/python", "-c", PUBLISHED.read_text()]
        command = shlex.join([*words, f"{folder}/etc/wc.json", name, str(TOP)])
        with connect(self._inventory, host) as connector:
            out = connector.run(command, user=self._inventory.worker_user, timeout=300).stdout
        found = json.loads(out.splitlines()[-1])
        self.kernel = found["kernel"]
        return vars(answer(found["distinct"], found["total"], found["top"]))

    def _processes(self) -> list[psutil.Process]:
        """Each host's supervisord and all below it: Redis, driver, workers, and the repair."""
        folders = [self._inventory.folder(host) for host in self._inventory.hosts]
        above = processes_naming(*(f"/supervisord -c {folder}/etc/" for folder in folders))
        return [process for top in above for process in tree(top.pid)]


@contextmanager
def one_replica(name: str = "benchone", first: int = 101, workers: int = 2) -> Iterator[Jobs]:
    """One host with so many workers."""
    with cluster(name, 1, first=first, per_host=workers) as bench:
        yield Jobs(bench, 0)


@contextmanager
def three_replicas(name: str = "benchthree", first: int = 111) -> Iterator[Jobs]:
    """Three hosts with a replica and a driver each, and two workers in all: none on the third."""
    with cluster(name, 3, first=first, per_host=1) as bench:
        yield Jobs(bench, 1)
