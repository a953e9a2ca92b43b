"""Quantities: every spelling of a value is that value, and what is not one is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.exit_codes import UsageError
from provision.inventory import units

NAMES = st.sampled_from(sorted(units.SIZES))
CASES = st.sampled_from([str.lower, str.upper, str.title])
SPACES = st.sampled_from(["", " "])


@given(st.integers(1, 1000), NAMES, CASES, SPACES)
def test_sizes(number: int, unit: str, case, space: str) -> None:  # type: ignore[no-untyped-def]
    written = f"{number}{space}{case(unit)}"
    assert units.size().parse(written) == number * units.SIZES[unit]


@given(st.integers(1, 86_400_000))
def test_durations(milliseconds: int) -> None:
    """Expect a duration in any unit to be the same seconds, and what is shown to be read back."""
    seconds = milliseconds / 1000
    wide = units.duration(0.0001)
    written = [f"{milliseconds}ms", f"{seconds:.3f}", f"{seconds:.3f}s", f"{seconds / 60:.9f} m"]
    for text in written:
        assert wide.parse(text) == pytest.approx(seconds, abs=1e-6)
    assert wide.parse(units.shown_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0001, "0.1ms"), (0.05, "50ms"), (1.5, "1.5s"), (90, "90s"), (1200, "20m"), (3600, "1h")],
)
def test_shown_duration(seconds: float, text: str) -> None:
    assert units.shown_duration(seconds) == text


@given(st.floats(0, 100))
def test_shares_and_percentages(value: float) -> None:
    assert units.percent(0, 100).parse(f"{value:.6f}") == pytest.approx(value, abs=1e-6)
    assert units.percent(0, 100).parse(f"{value:.6f}%") == pytest.approx(value, abs=1e-6)
    assert units.share().parse(f"{value:.6f}%") == pytest.approx(value / 100, abs=1e-6)
    assert units.share().parse(f"{value / 100:.8f}") == pytest.approx(value / 100, abs=1e-6)


@given(st.integers(), st.integers(0, 50), st.integers(50, 100))
def test_counts(number: int, least: int, most: int) -> None:
    """Expect a whole number inside its limits, and a message with them otherwise."""
    allowed = units.count(least, most)
    if least <= number <= most:
        assert allowed.option("--many", str(number)) == number
        return
    with pytest.raises(UsageError) as refused:
        allowed.option("--many", str(number))
    expected = f"--many '{number}': allowed is a whole number from {least} to {most}"
    assert str(refused.value) == expected


@given(st.text())
def test_anything_is_a_value_or_refused(text: str) -> None:
    """Expect no other error, and no value out of its limits."""
    for quantity in (units.size(), units.duration(0.1, 10), units.percent(1, 9), units.share()):
        with suppress(ValueError):
            assert 0 <= quantity.parse(text) <= units.LARGEST


ARABIC = "\N{ARABIC-INDIC DIGIT ONE}"


@pytest.mark.parametrize(
    "text", ["", " ", "1e999", "inf", "nan", "-1", "0x10", "1_0", ARABIC, "1.5MB"]
)
def test_refused(text: str) -> None:
    for quantity in (units.size(), units.duration(0.1), units.percent(0, 100), units.share()):
        with pytest.raises(UsageError, match=r"^--option '.*': allowed is "):
            quantity.option("--option", text)
