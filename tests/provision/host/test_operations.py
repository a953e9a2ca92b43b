"""Operations by data: tests/data/operations/NAME.json has cases of the operation NAME.

Given facts and arguments. Expect these actions, or this refusal. A case lists only the fields
it is about; "0o640" stands for a mode and "b:text" for bytes, which JSON has no way to write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provision.host import operations, supervision
from provision.host.actions import Refused
from provision.host.facts import Facts, Listener, PathFact, UserFact

FOLDER = Path(__file__).parents[2] / "data" / "operations"
CASES = [
    pytest.param(file.stem, case, id=f"{file.stem}: {case['case']}")
    for file in sorted(FOLDER.glob("*.json"))
    for case in json.loads(file.read_text())
]


def decode(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("0o"):
        return int(value, 8)
    if isinstance(value, str) and value.startswith("b:"):
        return value[2:].encode()
    return value


def facts_from(raw: dict[str, Any]) -> Facts:
    built: dict[str, Any] = dict(raw)
    for name in (
        "packages",
        "environments",
        "unused_environments",
        "pending",
        "foreign",
        "exposed",
    ):
        built[name] = frozenset(raw.get(name, ()))
    built["paths"] = {path: PathFact(**fact) for path, fact in raw.get("paths", {}).items()}
    built["users"] = {name: UserFact(**fact) for name, fact in raw.get("users", {}).items()}
    built["listeners"] = tuple(Listener(**fact) for fact in raw.get("listeners", ()))
    return Facts(**built)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_operation(name: str, case: dict[str, Any]) -> None:
    operation = getattr(operations, name, None) or getattr(supervision, name)
    arguments = [decode(value) for value in case["arguments"]]
    options = {key: decode(value) for key, value in case.get("options", {}).items()}

    def run() -> list[Any]:
        return list(operation(facts_from(case["facts"]), *arguments, **options))

    if "refused" in case:
        with pytest.raises(Refused) as caught:
            run()
        assert case["refused"] in str(caught.value)
        return
    actions = run()
    assert [type(action).__name__ for action in actions] == [e["kind"] for e in case["expected"]]
    for action, expected in zip(actions, case["expected"], strict=True):
        for field, value in expected.items():
            if field != "kind":
                actual = getattr(action, field)
                actual = list(actual) if isinstance(actual, tuple) else actual
                assert actual == decode(value), field
