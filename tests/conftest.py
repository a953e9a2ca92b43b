"""Files whose tests take longest come first, so that none of them begins when the others end.

Signals are as in a person's shell, whoever has started us. What fails is written down at once, for
scripts/test.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes depends on who else uses the machine.
settings.register_profile(
    "faultline", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("faultline")

LONGEST = (
    "faults/network/test_partition_job.py",
    "wc/worker/test_crashes.py",
    "wc/backends/test_stateful.py",
    "wc/backends/test_mutants.py",
    "end_to_end/test_antientropy.py",
    "wc/driver/test_job.py",
    "end_to_end/test_commands.py",
    "fuzz/test_fuzz.py",
    "end_to_end/test_gone.py",
    "faults/test_commands.py",
    "wc/transfer/test_transfer.py",
)


def pytest_configure() -> None:
    """A job in the background, or under nohup, inherits that Ctrl-C is ignored, and so would what
    tests start and interrupt. A handler of ours is not inherited: they get the default."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failed test's name and reason, in one line of the file that FAULTLINE_REASONS names."""
    path = os.environ.get("FAULTLINE_REASONS")
    # Where tests run in several processes, the one that gathers their reports writes.
    if not path or not report.failed or "PYTEST_XDIST_WORKER" in os.environ:
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash else report.longrepr).strip().splitlines() or ["no reason"]
    with Path(path).open("a") as out:
        out.write(f"{report.nodeid} ({report.when}): {lines[0][:300]}\n")
