"""Kinds of fields of an inventory: text, number, address, size, ...

A field is a text that says what is allowed, a function that accepts or refuses a value, and a
default. `schema.py` has the fields of each table; `read_table` checks a table against them.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provision.inventory import units

REQUIRED = object()


@dataclass(frozen=True)
class Field:
    """One key: `accept` returns the value to keep, or raises ValueError; `allowed` explains."""

    allowed: str
    accept: Callable[[Any], Any]
    default: Any = REQUIRED


def _refuse_unless(condition: bool) -> None:
    if not condition:
        raise ValueError


def _unchanged(allowed: str, test: Callable[[Any], bool], default: Any) -> Field:
    """A field that keeps the values that pass a test as they are."""

    def accept(value: Any) -> Any:
        _refuse_unless(test(value))
        return value

    return Field(allowed, accept, default)


def text(pattern: str, allowed: str, default: Any = REQUIRED) -> Field:
    match = re.compile(pattern).fullmatch
    return _unchanged(allowed, lambda value: isinstance(value, str) and bool(match(value)), default)


def number(low: int, high: int, default: Any = REQUIRED) -> Field:
    allowed = f"an integer from {low} to {high}"
    # In Python bool is an int, but `port = true` is a mistake and not port 1.
    return _unchanged(allowed, lambda value: type(value) is int and low <= value <= high, default)


def boolean(default: Any = REQUIRED) -> Field:
    return _unchanged("true or false", lambda value: isinstance(value, bool), default)


def choice(*options: str, default: Any = REQUIRED, also: str = "") -> Field:
    allowed = " or ".join(f'"{option}"' for option in options) + also
    return _unchanged(allowed, lambda value: value in options, default)


def address(default: Any = REQUIRED) -> Field:
    def accept(value: Any) -> str:
        _refuse_unless(isinstance(value, str))
        return str(ipaddress.IPv4Address(value))

    return Field('an IPv4 address such as "198.18.0.1"', accept, default)


def network(default: str) -> Field:
    def accept(value: Any) -> ipaddress.IPv4Network:
        _refuse_unless(isinstance(value, str))
        subnet = ipaddress.IPv4Network(value)
        _refuse_unless(subnet.prefixlen <= 29)
        return subnet

    return Field(
        'an IPv4 network of at least 8 addresses, host bits zero, such as "198.18.0.0/24"',
        accept,
        ipaddress.IPv4Network(default),
    )


def absolute_path(default: Any = REQUIRED) -> Field:
    """A folder on a host. No spaces or quotes, for it is written into other programs' files."""
    part = r"/(?!\.\.(/|$))[A-Za-z0-9._-]+"
    return text(rf"({part})+", "an absolute path of letters, digits, . _ and -", default)


def size(default: int | str, least: int = 1) -> Field:
    """A size in bytes, as a number or with a unit; "auto" too if that is the default."""
    quantity: units.Quantity[int | str] = units.size(least)
    if default == "auto":
        quantity = quantity.or_word("auto", "auto")

    def accept(value: Any) -> int | str:
        _refuse_unless(type(value) in (int, str))
        return quantity.parse(str(value))

    return Field(quantity.allowed, accept, default)


def read_table(
    where: str, table: Any, fields: Mapping[str, Field], problems: list[str]
) -> dict[str, Any]:
    """The accepted values of one table, with defaults; mistakes are added to `problems`.

    A refused or missing value is left out of the result, so that checks across tables skip it and
    do not report the same mistake again.
    """
    if not isinstance(table, dict):
        problems.append(f"{where}: is {table!r}: allowed is a table of keys")
        return {}
    for key in table:
        if key not in fields:
            problems.append(f"{where} {key}: unknown key: {nearest(key, fields)}")
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in table:
            if field.default is REQUIRED:
                problems.append(f"{where} {key}: missing: allowed is {field.allowed}")
            else:
                values[key] = field.default
            continue
        try:
            values[key] = field.accept(table[key])
        except ValueError:
            problems.append(f"{where} {key} = {table[key]!r}: allowed is {field.allowed}")
    return values


def nearest(word: str, options: Iterable[str]) -> str:
    """A hint for a word that is not one of `options`."""
    names = sorted(options)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return f"{hint}allowed are {', '.join(names)}"
