"""Files whose tests take longest come first, so that none of them begins when the others end."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST = (
    "faults/test_partition_job.py",
    "wc/test_crashes.py",
    "wc/test_stateful.py",
    "wc/test_mutants.py",
    "end_to_end/test_antientropy.py",
    "wc/test_job.py",
    "end_to_end/test_commands.py",
    "fuzz/test_fuzz.py",
    "end_to_end/test_gone.py",
    "faults/test_commands.py",
    "wc/test_transfer.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
