"""The files of a soak's job: words by chance."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random

LETTERS = "abcdefghijäßλ語"
SIZES = (0, 20, 1_000, 30_000, 300_000, 2_000_000)
#: Distinct words of all jobs; the first are the most frequent.
WORDS = 20_000


class Inputs:
    """A folder of text files."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder, self._random = folder, random
        self._made = 0
        folder.mkdir(parents=True)
        for _ in range(random.randint(3, 25)):
            self.add()

    def add(self) -> None:
        self._made += 1
        path = self.folder / f"d{self._made % 3}" / f"{self._made}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self._text())

    def change(self) -> None:
        """Add files, and append to or replace some."""
        for _ in range(self._random.randint(0, 3)):
            self.add()
        for path in self._some():
            if self._random.random() < 0.5:
                path.write_text(self._text())
            else:
                with path.open("a") as file:
                    file.write(self._text())

    def delete(self) -> Path:
        """Delete a file; its path."""
        gone = self._random.choice(self._all())
        gone.unlink()
        return gone

    def _all(self) -> list[Path]:
        return sorted(self.folder.rglob("*.txt"))

    def _some(self) -> list[Path]:
        return [path for path in self._all() if self._random.random() < 0.3]

    def _text(self) -> str:
        """Few words often, many rarely."""
        random = self._random
        numbers = (int(random.paretovariate(0.5)) % WORDS for _ in range(random.choice(SIZES) // 5))
        return " ".join(map(_word, numbers)) + "\n"


@cache
def _word(number: int) -> str:
    letters = []
    while number or not letters:
        number, at = divmod(number, len(LETTERS))
        letters.append(LETTERS[at])
    return "".join(letters)
