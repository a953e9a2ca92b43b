"""Errors of commands: one line for people, one object for programs, and an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from provision.connect.contract import ConnectionFailed
from provision.exit_codes import Declined, UsageError, exit_code
from provision.inventory.model import InventoryError


def fails_with(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


ERRORS = [
    (UsageError("--top: no"), "usage", 2, "--top: no"),
    (InventoryError(["a", "b"]), "inventory", 2, "a\nb"),
    (ConnectionFailed("h1: down"), "host", 2, "h1: down"),
    (Declined("Nothing was changed."), "declined", 1, "Nothing was changed."),
    (KeyboardInterrupt(), "interrupted", 130, "interrupted: run it again to finish"),
    (ValueError("odd"), "unexpected", 2, "ValueError: odd (FAULTLINE_DEBUG=1 shows where)"),
]


@pytest.mark.parametrize(("error", "kind", "code", "message"), ERRORS)
def test_errors(
    error: BaseException, kind: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # If a command fails; expect its message on standard error, and its code
    assert exit_code(fails_with(error)) == code
    assert capsys.readouterr() == ("", f"{message}\n")
    # With --json; expect one object on standard output besides
    assert exit_code(fails_with(error), as_json=True) == code
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"kind": kind, "message": message}}
    assert err == f"{message}\n"


def test_unexpected_errors_can_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTLINE_DEBUG", "1")
    with pytest.raises(ValueError, match="odd"):
        exit_code(fails_with(ValueError("odd")))


def test_a_command_s_own_code() -> None:
    assert [exit_code(lambda code=code: code) for code in (0, 1)] == [0, 1]
