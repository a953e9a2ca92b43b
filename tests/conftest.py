"""Files whose tests take longest come first, so that none of them begins when the others end.

Signals are as in a person's shell, whoever has started us. What fails is printed at once.
"""

from __future__ import annotations

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
    "end_to_end/test_upgrade.py",
    "docs/test_guide.py",
    "wc/worker/test_crashes.py",
    "end_to_end/test_quickstart.py",
    "provision/connect/test_ssh_users.py",
    "end_to_end/test_durability.py",
    "wc/backends/test_stateful.py",
    "wc/backends/test_mutants.py",
    "end_to_end/test_antientropy.py",
    "wc/driver/test_job.py",
    "end_to_end/test_commands.py",
    "fuzz/test_fuzz.py",
    "end_to_end/test_gone.py",
    "faults/test_commands.py",
    "wc/transfer/test_transfer.py",
    "wc/crdt/test_model.py",
    "bench/test_jobs.py",
    "end_to_end/test_ssh.py",
    "end_to_end/test_large.py",
    "provision/build/test_packaging.py",
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


class Reasons:
    """Prints a failed test's reason at once: a run that is ended from outside has no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.failed:
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        lines = str(crash.message if crash else report.longrepr).strip().splitlines()
        reason = lines[0][:300] if lines else "no reason"
        self._terminal.write_line(f"\n{report.nodeid} ({report.when}): {reason}")


def pytest_sessionstart(session: pytest.Session) -> None:
    # Where tests run in several processes, only the one that gathers their reports has a terminal.
    if terminal := session.config.pluginmanager.get_plugin("terminalreporter"):
        session.config.pluginmanager.register(Reasons(terminal))
