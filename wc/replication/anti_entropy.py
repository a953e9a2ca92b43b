"""Anti-entropy: one daemon per host that brings its own host's replica up to date, for ever.

Drivers repair the jobs they run. This loop is for all that is left: a Redis that lost what it
had when the job was over, or a host that was cut off and whose driver is not there. Each round
compares a few bytes per job and replica, and repairs only jobs in which the replicas differ.
It pulls: what its own replica lacks is copied there, and nothing anywhere else, so that the
loops of several hosts do not do the same work (Demers et al., Epidemic Algorithms for Replicated
Database Maintenance, 1987). It keeps to a rate, and leaves for the next round what exceeds it.

It only calls the merge, so it may run beside workers, drivers and other repairs, and be killed.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wc.backends.redis.replica_set import ReplicaSet
from wc.core import config as configuration
from wc.core import logs
from wc.core.config import Config, ConfigError
from wc.core.token_bucket import TokenBucket
from wc.jobs.folder import JobFolder
from wc.jobs.spec import JobSpec
from wc.replication.delta_archive import Archive
from wc.replication.job_deletion import known_jobs
from wc.replication.read_repair import Repair, Report
from wc.replication.repair_stats import RepairStats

log = logging.getLogger(__name__)

#: How much may be moved at once: what comes in within this time. A round that had to leave
#: something is followed by another after this time, as the bucket holds no more than that.
BURST_SECONDS = 1.0


class AntiEntropy:
    """The loop of one host. Raises ConfigError where it has nothing to do."""

    def __init__(self, config: Config) -> None:
        if config.repair_interval_seconds <= 0:
            raise ConfigError("repair_interval_seconds is 0: the background repair is turned off")
        if config.host not in [address.name for address in config.replicas]:
            raise ConfigError(f"host {config.host} has no replica to bring up to date")
        rate = config.repair_bytes_per_second
        self.config = config
        self.replicas = ReplicaSet(config, "driver")
        self.bucket = TokenBucket(rate, max(1.0, rate * BURST_SECONDS), time.monotonic)
        self._own = self.replicas.by_name[config.host]
        self._peers = [name for name in self.replicas.by_name if name != config.host]
        self._stats = RepairStats(config.host)
        self._stop = threading.Event()
        self._failing: set[str] = set()
        self._copied: dict[str, int] = {}  # job that lacks dots -> dots copied so far

    def stop(self) -> None:
        """End soon: after the calls that are under way, and without moving any more."""
        self._stop.set()
        self.bucket.shut()

    def serve(self) -> None:
        """Rounds until ``stop``. Whatever fails is for the next one."""
        while not self._stop.is_set():
            dropped = self.round()["dropped"]
            interval = self.config.repair_interval_seconds
            self._stop.wait(min(interval, BURST_SECONDS) if dropped else interval)
        self.replicas.close()

    def round(self) -> dict[str, Any]:
        """Every job once; counts as ``RepairStats`` has them."""
        started = time.monotonic()
        reports: list[Report] = []
        specs: list[JobSpec] = []
        with self._attempt("the jobs"):
            specs = self._jobs()
        for spec in specs:
            if self._stop.is_set():
                break
            with self._attempt(spec.name):
                reports += self._repair(spec)
        counts = self._stats.add(reports, time.monotonic() - started)
        if self._own.available():
            with self._attempt("writing the statistics"):
                self._stats.write(self._own.registry)
        return counts

    def _jobs(self) -> list[JobSpec]:
        """The jobs that any reachable replica knows, oldest first; the own one learns them.

        [] while the own replica is away, as nothing can be done for it.
        """
        answers = known_jobs(self.replicas)
        for name in self.replicas.by_name:
            if name in answers:
                self._succeeded(f"replica {name}")
            else:
                trouble = self.replicas.by_name[name].trouble() or "does not answer"
                self._failed(f"replica {name}", trouble)
        if self._own.name not in answers:
            return []
        known = {spec.name: spec for specs in answers.values() for spec in specs}
        mine = {spec.name for spec in answers[self._own.name]}
        new = [spec for name, spec in known.items() if name not in mine]
        if new:
            self._own.registry.learn(new)
        return sorted(known.values(), key=lambda spec: (spec.created, spec.name))

    def _repair(self, spec: JobSpec) -> list[Report]:
        """Repair the own replica of a job, if any other differs from it."""
        peers = self.replicas.ask_all(lambda replica: replica.job(spec.name).status(spec.origins))
        own = peers.pop(self._own.name, None)
        if own is None or not peers:
            return []
        if all(status.comparable == own.comparable for status in peers.values()):
            self._log(spec.name, Report())
            self._settle_disputes(spec.name, [])
            return []
        repair = Repair(
            self.replicas,
            spec.name,
            spec.origins,
            sources=self._peers,
            targets=[self._own.name],
            archive=Archive(self.config.jobs / spec.name),
            bucket=self.bucket,
        )
        report = repair.run()
        if report.reached.intersection(self._peers):
            self._log(spec.name, report)
            self._settle_disputes(spec.name, report.disputed)
        return [report]

    def _settle_disputes(self, job: str, disputed: list[str]) -> None:
        """Name dots of which replicas have different counts. If some are this host's, let its
        driver have them counted again, also in a job that has ended."""
        what = f"{job}: counts"
        if not disputed:
            self._succeeded(what)
            return
        self._failed(what, f"replicas have different ones of {', '.join(disputed)}")
        folder = JobFolder(self.config.jobs / job)
        mine = any(dot.rpartition("/")[0] == self.config.host for dot in disputed)
        if mine and folder.path.exists() and folder.outcome() is not None:
            folder.reopen()

    def _log(self, job: str, report: Report) -> None:
        """Log one line when a job is found to lack dots, and one when it lacks none any more."""
        if report.missing and job not in self._copied:
            self._copied[job] = 0
            log.info("%s: %d dots are missing here", job, report.missing)
        if job in self._copied:
            self._copied[job] += report.copied
            if not report.missing:
                log.info("%s: up to date; copied %d dots", job, self._copied.pop(job))

    @contextmanager
    def _attempt(self, what: str) -> Iterator[None]:
        """Whatever fails within is logged, and this program goes on with the next."""
        try:
            yield
        except Exception as error:
            self._failed(what, error)
        else:
            self._succeeded(what)

    def _failed(self, what: str, why: object) -> None:
        """Logged once, until it succeeds again: rounds come often."""
        if what not in self._failing:
            self._failing.add(what)
            log.warning("%s: %s", what, why)

    def _succeeded(self, what: str) -> None:
        if what in self._failing:
            self._failing.remove(what)
            log.info("%s: well again", what)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wc.replication.anti_entropy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 asked to stop; 2 bad configuration\n"
        "example: python -m wc.replication.anti_entropy --config etc/wc.json",
    )
    parser.add_argument("--config", type=Path, required=True, help="the host's wc.json")
    options = parser.parse_args(argv)
    logs.start()
    try:
        loop = AntiEntropy(configuration.load(options.config))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    signal.signal(signal.SIGINT, lambda *_: loop.stop())
    log.info("%s: ready", loop.config.host)
    loop.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
