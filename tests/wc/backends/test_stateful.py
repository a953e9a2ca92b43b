"""Thousands of random steps on three real replicas, each compared with the reference model.

CI runs the same histories every time. To search further, with new random ones:

    FAULTLINE_STATEFUL_EXAMPLES=1000 .venv/bin/python -m pytest tests/wc/backends/test_stateful.py

A failure prints the shortest history found that fails, as Python, and how to run it again.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.wc.support.cluster import Cluster
from tests.wc.support.machine import run

#: Histories in CI, and steps of each at most: some 4,000 steps in all.
EXAMPLES, STEPS = 60, 40
LONGER = os.environ.get("FAULTLINE_STATEFUL_EXAMPLES")


def test_random_histories(servers: Cluster, tmp_path: Path) -> None:
    # Given three replicas and a job for each history; if anything happens to them
    # Expect each to say, after every step, what the model says, and all the same in the end
    examples = int(LONGER or EXAMPLES)
    run(servers, tmp_path, examples, STEPS, anew=bool(LONGER), shrink=True)
