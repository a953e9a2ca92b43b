"""The tokenizers: what a word is. Each is fed decoded text in pieces of any size.

whitespace  the words of `str.split()` on the whole text; the default
letters     maximal runs of letters (`str.isalpha`), each lower-cased once it is complete
tweets-csv  the words of a CSV file's `text` column (wc/text/tweets_csv.py)

A word that a piece cuts is kept as a list of fragments and joined once, so a long word costs
time in proportion to its length, not to its square. No word may be longer than LONGEST_WORD
(wc/text/word_limit.py). Newlines are not translated. A byte order mark is kept as a character,
except by tweets-csv; that of a file is not fed to them (wc/inputs/encodings.py).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import AnyStr, Generic, Protocol

from wc.text.tweets_csv import Tweets
from wc.text.word_limit import LONGEST_WORD, WordTooLong


class WordStream(Protocol):
    """A tokenizer's state while it reads one stream."""

    def feed(self, text: str) -> list[str]:
        """The words that `text` completes, in order. Raises WordTooLong, of pieces that are not
        longer than LONGEST_WORD themselves."""

    def finish(self) -> list[str]:
        """The words that the end of the stream completes. To be called once, last."""


@dataclass(frozen=True)
class Tokenizer:
    """A named way to cut text into words.

    `splittable`: its words contain no white space, and do not depend on the text before them, so a
    file may be cut at white space and counted in several splits.
    """

    name: str
    splittable: bool
    start: Callable[[], WordStream]


class Whitespace(Generic[AnyStr]):
    """`str.split()` over pieces, or `bytes.split()`, which takes ASCII white space only."""

    def __init__(self) -> None:
        self._fragments: list[AnyStr] = []  # of the word that the last piece left unfinished
        self._size = 0  # bytes of them

    def feed(self, text: AnyStr) -> list[AnyStr]:
        if not text:
            return []
        return self._complete(text.split(), not text[:1].isspace(), not text[-1:].isspace())

    def finish(self) -> list[AnyStr]:
        return self._complete([], False, False)

    def _complete(self, runs: list[AnyStr], continues: bool, open_ended: bool) -> list[AnyStr]:
        """The complete words of a piece whose words are `runs`. What the piece cuts is kept.

        continues: the piece begins within a word; open_ended: it ends within one.
        """
        if self._fragments:
            if continues:
                self._extend(runs[0])
                if len(runs) == 1 and open_ended:
                    return []  # the whole piece lies within one word
                runs[0] = self._word()
            else:
                runs.insert(0, self._word())
        if open_ended:
            self._extend(runs.pop())
        return runs

    def _extend(self, fragment: AnyStr) -> None:
        self._fragments.append(fragment)
        self._size += len(fragment if isinstance(fragment, bytes) else fragment.encode())
        if self._size > LONGEST_WORD:
            raise WordTooLong

    def _word(self) -> AnyStr:
        """The word that its fragments make, which is complete."""
        word = self._fragments[0][:0].join(self._fragments)
        self._fragments, self._size = [], 0
        return word


class _Letters(Whitespace[str]):
    """Runs of letters. Complete ones are lower-cased: `"İ".lower()` has a character that is no
    letter, and the lower case of a sigma depends on whether its word ends there."""

    _ascii = re.compile(r"[A-Za-z]+")  # three times as fast as the next one
    # Letters, and also numbers that are no digits (Nl, No: roman numerals, fractions).
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


TOKENIZERS = {
    known.name: known
    for known in (
        Tokenizer("whitespace", True, Whitespace[str]),
        Tokenizer("letters", True, _Letters),
        Tokenizer("tweets-csv", False, Tweets),
    )
}


def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name. Raises ValueError, which lists the known ones."""
    if name not in TOKENIZERS:
        raise ValueError(f"tokenizer {name!r}: one of {', '.join(TOKENIZERS)} expected")
    return TOKENIZERS[name]
