"""Benchmarks as commands: one JSON object, exit codes, and the bounds that they assert."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.harness import ratios

BENCH = Path(__file__).resolve().parents[2] / "bench"


def bench(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / name), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_repair_fetches_what_is_missing_and_little_else() -> None:
    # Given two real Redis servers, and jobs of up to 10,000 splits
    # If repairs of more and more missing splits are measured
    done = bench("read_repair", "--total", "30000", "--runs", "1", "--json")
    # Expect one JSON object, with bytes near the least that is needed
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [case["missing"] for case in found["by_missing"]] == [30, 300, 3000, 30000]
    assert [case["total"] for case in found["by_total"]] == [300, 3000, 30000]
    for case in found["by_missing"] + found["by_total"]:
        assert case["needed"] < case["bytes"] < 1.1 * case["needed"]
    # Expect the naive way to read both replicas whole, however little is missing
    assert found["by_missing"][0]["naive_bytes"] > 19_000 * found["delta_bytes"]


@pytest.mark.parametrize("name", ["commands", "partition", "read_repair", "replication"])
def test_help_has_an_example_and_wrong_usage_is_told(name: str) -> None:
    # If help is asked for; expect an example that can be typed
    shown = bench(name, "--help")
    assert shown.returncode == 0
    assert f"bench/{name} --runs" in shown.stdout
    # If a value is wrong; expect it to be named, and what is allowed
    refused = bench(name, "--runs", "none")
    assert refused.returncode == 2
    assert "'none': a whole number, at least 1" in refused.stderr


def test_ratios_are_of_medians_and_of_each_run() -> None:
    # Given three runs of two cases, of which one run was disturbed
    # If they are compared; expect the median to ignore it, and the spread to show it
    assert ratios([2.0, 4.0, 90.0], [1.0, 4.0, 9.0]) == {
        "ratio": 1.0,
        "least": 1.0,
        "greatest": 10.0,
    }
