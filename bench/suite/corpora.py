"""Corpora: sets of files of one size, cut out of real text or made of words.

Made words come by Zipf's law (the word of rank r in proportion to 1 / r), or all equally often,
which is the hardest text there is of so many distinct words: no word is met again soon.

They are kept under /var/tmp, where the workers' user can read them, in folders named by their
recipe. A set larger than the text repeats it; a corpus knows how many of its bytes are distinct.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.suite.debian_text import recipe, stock

CACHE = Path("/var/tmp/faultline-corpora")
REAL, ZIPF, EQUAL = "real", "zipf", "equal"
#: Of the synthetic text: distinct words in its vocabulary, and words that are drawn at a time.
VOCABULARY, DRAWN = 1_000_000, 1_000_000
SEED = 1
#: Of words that are equally frequent: rank times an odd number, modulo 16^7, is of 7 hexadecimal
#: digits, another for each rank, and in no order.
SCRAMBLE, MOST_EQUAL = 0x9E3779B, 16**7
EQUAL_BYTES = 8
#: A change of how files are cut needs another number: it is part of the key.
VERSION = 1


#: Bytes of the disk that are left to everything else.
SPARE = 5_000_000_000


class NoRoom(Exception):
    """A text that is larger than what the disk or the memory has left; the message says how."""


@dataclass(frozen=True)
class Corpus:
    """``files`` files in ``folder``; ``size`` and ``distinct`` in bytes, all and not repeated."""

    kind: str
    folder: Path
    files: int
    size: int
    distinct: int

    @property
    def pattern(self) -> str:
        return f"{self.folder}/*.txt"

    @property
    def listing(self) -> Path:
        """A file with the path of every file, one a line: too many for a command line."""
        return self.folder / "files.list"

    def paths(self) -> list[Path]:
        return [Path(line) for line in self.listing.read_text().splitlines()]

    def warm(self) -> None:
        """Read everything once, so that no case pays for the disk."""
        for path in self.paths():
            path.read_bytes()


def corpus(
    files: int,
    size: int,
    say: Callable[[str], None],
    *,
    kind: str = REAL,
    words: int = 0,
    cache: Path = CACHE,
) -> Corpus:
    """``files`` files of about ``size`` bytes each, at most 3 bytes less: no character is cut.

    ``words`` is how many distinct ones text that is made has, if it holds so many (VOCABULARY).
    Raises NoText if real text cannot be had, NoRoom if the disk has no room for it.
    """
    words = words or VOCABULARY
    cache.mkdir(parents=True, exist_ok=True)
    cache.chmod(0o755)
    source = recipe() if kind == REAL else str([words, DRAWN, SEED])
    key = hashlib.sha256(f"{VERSION} {source}".encode()).hexdigest()[:8]
    folder = cache / f"{kind}-{files}x{size}-{key}"
    about = folder / "about.json"
    if not about.exists():
        free = shutil.disk_usage(cache).free
        if free < files * size + SPARE:
            raise NoRoom(f"{files * size:,} bytes of text, and {free:,} are free in {cache}")
        say(f"making {files:,} files of {size:,} bytes ({kind})")
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as name:
            if kind == REAL:
                made = _real(files, size, cache, say)
            else:
                made = _made(files, size, blocks(kind, words))
            figures = _write(Path(name), folder, made)
            limit = stock(cache, say).size if kind == REAL else figures["size"]
            figures["distinct"] = min(limit, figures["size"])
            (Path(name) / "about.json").write_text(json.dumps(figures))
            Path(name).chmod(0o755)
            Path(name).rename(folder)
            Path(name).mkdir()  # for its context to remove
    return Corpus(kind, folder, **json.loads(about.read_text()))


def clean(cache: Path = CACHE) -> None:
    shutil.rmtree(cache, ignore_errors=True)


def whole_characters(data: bytes) -> bytes:
    """The bytes without the parts of characters that were cut at both ends."""
    start = 0
    while start < min(len(data), 3) and data[start] & 0xC0 == 0x80:
        start += 1
    return data[start:].decode(errors="ignore").encode()


def _write(made: Path, folder: Path, contents: Iterator[bytes]) -> dict[str, int]:
    sizes, names = 0, []
    for number, content in enumerate(contents):
        name = f"{number:06}.txt"
        sizes += (made / name).write_bytes(content)
        names.append(str(folder / name))
    (made / "files.list").write_text("\n".join(names) + "\n")
    return {"files": len(names), "size": sizes}


def _real(files: int, size: int, cache: Path, say: Callable[[str], None]) -> Iterator[bytes]:
    with (
        stock(cache, say).path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        at = 0
        for _ in range(files):
            parts, left = [], size
            while left:
                parts.append(text[at : at + left])
                left -= len(parts[-1])
                at = (at + len(parts[-1])) % len(text)
            yield whole_characters(b"".join(parts))


def blocks(kind: str, words: int) -> Iterator[bytes]:
    """Blocks of text without end, of so many distinct words."""
    return zipf_words(SEED, words) if kind == ZIPF else equal_words(words)


def zipf_words(seed: int, words: int) -> Iterator[bytes]:
    """The word of rank r is drawn in proportion to 1 / r."""
    chance = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    vocabulary = [
        "".join(chance.choices(letters, k=2 + min(9, rank.bit_length() // 2))) + f"{rank:x}"
        for rank in range(1, words + 1)
    ]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, words + 1)))
    while True:
        yield (" ".join(chance.choices(vocabulary, cum_weights=weights, k=DRAWN)) + "\n").encode()


def equal_words(words: int) -> Iterator[bytes]:
    """All words in turn, of EQUAL_BYTES with the blank behind each, at most MOST_EQUAL."""
    ranks = itertools.cycle(range(words))
    while True:
        block = (f"{n * SCRAMBLE % MOST_EQUAL:07x}" for n in itertools.islice(ranks, DRAWN))
        yield (" ".join(block) + "\n").encode()


def _made(files: int, size: int, text: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for _ in range(files):
        while len(rest) < size:
            rest += next(text)
        yield rest[:size]
        rest = rest[size:]
