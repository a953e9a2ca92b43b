"""Thousands of random steps on three real replicas, each compared with the reference model.

CI runs the same histories every time. To search further, with new random ones:

    FAULTLINE_STATEFUL_EXAMPLES=1000 .venv/bin/python -m pytest tests/wc/test_stateful.py

A failure prints the shortest history found that fails, as Python, and how to run it again.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.wc.cluster import Cluster
from tests.wc.machine import machine

#: Histories in CI, and steps of each at most.
EXAMPLES, STEPS = 100, 40
LONGER = os.environ.get("FAULTLINE_STATEFUL_EXAMPLES")


def test_random_histories(servers: Cluster, tmp_path: Path) -> None:
    run_state_machine_as_test(
        machine(servers, tmp_path),
        settings=settings(
            max_examples=int(LONGER or EXAMPLES),
            stateful_step_count=STEPS,
            derandomize=not LONGER,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )
