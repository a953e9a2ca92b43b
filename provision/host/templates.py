"""Renders the templates in supervisor/. A template that uses a value it did not get is an error."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from provision.build.cache import DATA


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(  # noqa: S701 - configuration files, not HTML
        loader=jinja2.FileSystemLoader(DATA / "supervisor"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, values: dict[str, Any]) -> bytes:
    """The template `name`.j2, rendered. Raises jinja2.UndefinedError for a missing value."""
    return _environment().get_template(f"{name}.j2").render(values).encode()
