"""What a word is: three answers, each fed decoded text in pieces of any size.

whitespace  what `str.split()` gives on the whole text; the default
letters     maximal runs of letters (`str.isalpha`), each lower-cased once it is whole
tweets-csv  the words of a CSV file's `text` column (wc/text/tweets_csv.py)

A word cut by the end of a piece is carried over as a list of fragments, joined once: a word of
100 MB costs its length, not its length squared. No newline is translated; a byte order mark is
kept as the character it is, except by tweets-csv.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from wc.text.tweets_csv import BadRecord, Tweets

__all__ = ["DEFAULT", "TOKENIZERS", "BadRecord", "Tokenizer", "Words", "tokenizer"]


class Words(Protocol):
    """The state of one tokenizing, good for one stream."""

    def feed(self, text: str) -> list[str]:
        """The words that `text` finishes, in order."""

    def finish(self) -> list[str]:
        """The words that the end of the stream finishes; call it once, last."""


@dataclass(frozen=True)
class Tokenizer:
    """A named way to cut text into words.

    `splittable`: none of its words holds whitespace, and nothing before a word changes it, so a
    file may be counted in parts cut at whitespace.
    """

    name: str
    splittable: bool
    start: Callable[[], Words]


class _Whitespace:
    """`str.split()` over pieces."""

    def __init__(self) -> None:
        self._fragments: list[str] = []  # of the word that the last piece left unfinished

    def feed(self, text: str) -> list[str]:
        if not text:
            return []
        return self._complete(text.split(), not text[0].isspace(), not text[-1].isspace())

    def finish(self) -> list[str]:
        return self._complete([], False, False)

    def _complete(self, runs: list[str], continues: bool, open_ended: bool) -> list[str]:
        """`runs` of a piece, its first joined to the carried word, its last carried over.

        continues: the piece begins inside a word; open_ended: it ends inside one.
        """
        if self._fragments:
            if continues:
                self._fragments.append(runs[0])
                if len(runs) == 1 and open_ended:
                    return []  # the whole piece lies within one word
                runs[0] = "".join(self._fragments)
            else:
                runs.insert(0, "".join(self._fragments))
            self._fragments = []
        if open_ended:
            self._fragments.append(runs.pop())
        return runs


class _Letters(_Whitespace):
    """Runs of letters. They are lower-cased last: `"İ".lower()` holds a character that is no
    letter, and a sigma's lower case depends on whether its word goes on."""

    _ascii = re.compile(r"[A-Za-z]+")  # three times as fast as the other one
    # Letters, but also the numbers that are no digits (Nl, No: roman numerals, fractions).
    _almost = re.compile(r"[^\W\d_]+")

    def feed(self, text: str) -> list[str]:
        if not text:
            return []
        if text.isascii():
            runs = self._ascii.findall(text)
        else:
            found = self._almost.findall(text)
            runs = [run for almost in found for run in self._without_numbers(almost)]
        return self._lowered(self._complete(runs, text[0].isalpha(), text[-1].isalpha()))

    def finish(self) -> list[str]:
        return self._lowered(super().finish())

    @staticmethod
    def _without_numbers(run: str) -> list[str]:
        if run.isalpha():
            return [run]
        return ["".join(part) for letters, part in groupby(run, str.isalpha) if letters]

    @staticmethod
    def _lowered(words: list[str]) -> list[str]:
        return [word.lower() for word in words]


DEFAULT = "whitespace"
TOKENIZERS = {
    found.name: found
    for found in (
        Tokenizer("whitespace", True, _Whitespace),
        Tokenizer("letters", True, _Letters),
        Tokenizer("tweets-csv", False, Tweets),
    )
}


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name; raises ValueError naming those there are."""
    if name not in TOKENIZERS:
        raise ValueError(f"tokenizer {name!r}: one of {', '.join(TOKENIZERS)} expected")
    return TOKENIZERS[name]
