"""Faultline's own runs: jobs on clusters made for the measurement, each on an empty Redis.

A job leaves its results in Redis, and checkpoints write all of it. So between two jobs the
programs are stopped, their data are removed, and `fab provision` brings the host up again: each
job finds what the first one found, with workers that are up and wait.

A cluster is that of a checkout, this one or an older one: `fab` runs there, and what it makes runs
that checkout's code.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.harness import REPOSITORY, Bench, cluster
from bench.memory import processes_naming, tree
from bench.peers.answer import TOP, answer
from bench.suite.corpora import Corpus
from bench.suite.systems import SHOWN, Ran, whole
from provision.connect.factory import connect
from provision.connect.hosts import Hosts, answers
from provision.host.supervision import supervisorctl
from provision.inventory.model import Host, load

#: In a checkout: what reads a job's answer on a host.
READER = "bench/suite/published_counts.py"
STOP = "{control} stop all"
EMPTY = "for d in jobs redis; do find {}/$d -mindepth 1 -delete 2>/dev/null || true; done"
COUNTED, PUBLISHED = "counted", "published"


class Jobs:
    """One cluster, and jobs on it. ``kernel`` is the one its hosts count with, once one has run."""

    def __init__(self, bench: Bench, idle: int) -> None:
        self._bench = bench
        self._inventory = load(bench.inventory)
        self._idle = idle
        self._fresh = False
        self.kernel = ""
        self._order(STOP)
        self.reset()

    def reset(self) -> None:
        """As it was provisioned: no job, nothing in Redis. All programs are stopped before."""
        self._order(f"{EMPTY}; {{control}} start all")
        self._bench.fab("provision")
        # per_host is the same on all hosts; fewer workers in all are had by stopping some.
        self._order("{control} stop workers:*", self._inventory.hosts[::-1][: self._idle])
        self._fresh = True

    def _order(self, order: str, hosts: Iterable[Host] | None = None) -> None:
        """A shell command on these hosts, or all, at once."""

        def run(host: Host) -> None:
            folder = self._inventory.folder(host)
            command = order.format(shlex.quote(str(folder)), control=supervisorctl(folder))
            opened.connector(host).run(command, timeout=120)

        with Hosts(self._inventory) as opened:
            answers(opened.each(run, hosts))

    def run(self, corpus: Corpus, *words: str, memory: bool = False) -> Ran:
        """Count a corpus by `fab start-job --input ...` and these words.

        Seconds are those of the whole command; besides, from the job's submission until all
        replicas had every count and a driver had summed them up, and until all had published.
        """
        if not self._fresh:
            self.reset()
        self._fresh = False
        try:
            return self._job(corpus, words, memory)
        except RuntimeError as error:
            return Ran(error=" ".join(str(error).split())[-SHOWN:])
        finally:
            # Checkpoints and compaction follow a job, and would take time from whoever is next.
            self._order(STOP)

    def _job(self, corpus: Corpus, words: tuple[str, ...], memory: bool) -> Ran:
        supervisors = self._supervisors()
        ran, out = whole(
            self._bench.command("start-job", "--input", corpus.pattern, *words),
            memory=memory,
            beside=lambda: [process for top in supervisors for process in tree(top.pid)],
            **self._bench.surroundings,
        )
        name = re.search(r"^job (\S+): complete", out, re.MULTILINE)
        if ran.error or name is None:
            return Ran(error=ran.error or f"the job is incomplete: {out[-SHOWN:]}")
        status = json.loads(self._bench.fab("status", "--json"))
        if not status["converged"]:
            return Ran(error="the replicas differ")
        ran.redis = sum(replica["redis"]["memory"] for replica in status["replicas"].values())
        self.kernel = status["hosts"][self._inventory.hosts[0].name]["kernel"]
        figures = json.loads(
            self._bench.fab("start-job", "--name", name[1], "--top", "0", "--json").splitlines()[-1]
        )
        ran.more = {COUNTED: figures["counted"], PUBLISHED: figures["seconds"]}
        ran.answer = self._answer(name[1])
        return ran

    def _answer(self, name: str) -> dict[str, object]:
        host = self._inventory.replicas[0]
        folder = self._inventory.folder(host)
        words = [f"{folder}/env/bin/python", "-c", (self._bench.folder / READER).read_text()]
        command = shlex.join([*words, f"{folder}/etc/wc.json", name, str(TOP)])
        with connect(self._inventory, host) as connector:
            out = connector.run(command, user=self._inventory.worker_user, timeout=300).stdout
        found = json.loads(out.splitlines()[-1])
        return vars(answer(found["distinct"], found["total"], found["top"]))

    def _supervisors(self) -> list[psutil.Process]:
        """Each host's supervisord; below it are Redis, driver, workers, and the repair."""
        folders = [self._inventory.folder(host) for host in self._inventory.hosts]
        return processes_naming(*(f"/supervisord -c {folder}/etc/" for folder in folders))


@contextmanager
def replicas(number: int, *, workers: int = 2, folder: Path | None = None) -> Iterator[Jobs]:
    """A cluster of so many hosts, each with a replica and a driver, and so many workers in all.

    ``folder`` is the checkout whose code it runs, this one by default. What hosts have too many
    workers stand still.
    """
    per_host = -(-workers // number)
    idle = number - workers // per_host
    # A name of its own: another run, or a test, may be on this machine.
    with cluster(
        f"b{secrets.token_hex(4)}", number, folder=folder or REPOSITORY, per_host=per_host
    ) as bench:
        yield Jobs(bench, idle)
