"""A table of words for people. Apart from what programs read: rich takes long to import."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Words longer than this, in characters, are shortened on screen, never in --json.
SHOWN_WORD = 60


def word_table(rows: Iterable[tuple[str, int]]) -> Table:
    """A table of (word, count)."""
    table = Table()
    table.add_column("count", justify="right")
    table.add_column("word")
    for word, count in rows:
        shown = word if len(word) <= SHOWN_WORD else word[:SHOWN_WORD] + "..."
        # A word is data: it may look like markup, or hold control characters.
        table.add_row(f"{count:,}", Text(shown if shown.isprintable() else repr(shown)[1:-1]))
    return table


def print_words(rows: Iterable[tuple[str, int]]) -> None:
    Console(highlight=False, markup=False).print(word_table(rows))
