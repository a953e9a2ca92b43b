r"""The counts, a second time: plain, serial, and sharing no code with the counting they check.

`verify` recounts all inputs with this and compares every word. So it is written to be seen to be
right rather than to be fast, imports nothing else of `wc`, and where it can takes another way:
lines instead of pieces, letters found within words, CSV character by character.
"""

import bz2
import gzip
import lzma
import re
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from io import BufferedReader, TextIOWrapper
from itertools import chain, groupby

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Progress = Callable[[int], None]
"""Told now and then how many bytes were read, of all files so far, as they are on disk."""

LONG_LINE = 1_000_000  # characters; of longer lines no list of all words is made
REPORT_CHARACTERS = 4_000_000  # about how often progress is told
_NA = """#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a
|nan|null""".replace("\n", "").split("|")


def count_files(
    paths: Iterable[str],
    tokenizer: str = "whitespace",
    errors: str = "strict",
    progress: Progress | None = None,
    marked: Container[str] = (),
) -> Counter[str]:
    """The counts of all files together; raises what `count_file` does, for the first bad file.

    Of those that are `marked` a byte order mark at the beginning is not counted.
    """
    counts: Counter[str] = Counter()
    done = 0  # bytes of the files before the current one
    now = 0  # bytes of the current one

    def tell(read: int) -> None:
        nonlocal now
        now = read
        if progress:
            progress(done + read)

    for path in paths:
        counts.update(count_file(path, tokenizer, errors, tell, marked=path in marked))
        done, now = done + now, 0
    return counts


def count_file(
    path: str,
    tokenizer: str = "whitespace",
    errors: str = "strict",
    progress: Progress | None = None,
    *,
    marked: bool = False,
) -> Counter[str]:
    """The counts of one file, which may be compressed (told by its first bytes).

    errors: "strict" or "replace". Raises OSError or EOFError if it cannot be read, ValueError
    (UnicodeDecodeError among them) if it cannot be understood, and for an unknown tokenizer.
    """
    if tokenizer not in _COUNTERS:
        raise ValueError(f"tokenizer {tokenizer!r}: one of {', '.join(_COUNTERS)} expected")
    with open(path, "rb") as disk:
        encoding = "utf-8-sig" if marked else "utf-8"
        with TextIOWrapper(_plain(disk), encoding=encoding, errors=errors, newline="\n") as text:
            try:
                counts = _COUNTERS[tokenizer](_lines(text, disk, progress))
            except ValueError as error:
                error.add_note(f"while counting {path!r}")
                raise
            if progress:
                progress(disk.tell())
    return counts


def _plain(disk: BufferedReader) -> BufferedReader:
    """What a file holds."""
    start = disk.peek(10)
    if start.startswith(b"\x1f\x8b"):
        return BufferedReader(gzip.open(disk))
    if start.startswith(b"\xfd7zXZ\x00"):
        return BufferedReader(lzma.open(disk))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return BufferedReader(zstd.open(disk))
    if re.match(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", start):
        return BufferedReader(bz2.open(disk))
    return disk


def _lines(text: TextIOWrapper, disk: BufferedReader, progress: Progress | None) -> Iterator[str]:
    since = 0
    for line in text:
        yield line
        since += len(line)
        if progress and since >= REPORT_CHARACTERS:
            progress(disk.tell())
            since = 0


def _whitespace(lines: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in lines:
        if len(line) <= LONG_LINE:
            counts.update(line.split())
        else:
            counts.update(found.group() for found in re.finditer(r"\S+", line))
    return counts


def _letters(lines: Iterable[str]) -> Counter[str]:
    # No letter is white space, so every run of letters lies within one word of the above.
    counts: Counter[str] = Counter()
    for word, number in _whitespace(lines).items():
        for letters, run in groupby(word, str.isalpha):
            if letters:
                counts["".join(run).lower()] += number
    return counts


def _tweets(lines: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    records = _records(chain.from_iterable(lines))
    header = next(records, [])
    if "text" not in header:
        raise ValueError(f"no column 'text' in the header {header!r:.200}")
    column = header.index("text")
    for number, record in enumerate(records, start=2):
        if len(record) > len(header):
            raise ValueError(f"record {number}: {len(record)} fields, header: {len(header)}")
        text = record[column] if column < len(record) else ""
        text = "nan" if text == "" or text in _NA else text
        counts.update(text.split(" "))
    return counts


def _records(  # noqa: PLR0912  # a state machine is a list of cases
    characters: Iterable[str],
) -> Iterator[list[str]]:
    """The records of a CSV file, by the rules that pandas' C parser has for lines ended by LF."""
    record: list[str] = []
    field = ""
    state = "blank line"  # so far; blanks and tabs seen are in `field`
    for at, character in enumerate(characters):
        if at == 0 and character == "\ufeff":
            continue
        new_field = state == "new field" or (state == "blank line" and not field)
        if state == "quoted" and character != '"':
            field += character
        elif state == "quoted":
            state = "quote seen"
        elif state == "quote seen" and character == '"':
            field += character
            state = "quoted"
        elif new_field and character == '"':
            state = "quoted"
        elif character == ",":
            record.append(field)
            field = ""
            state = "new field"
        elif character == "\n":
            if state != "blank line":
                yield [*record, field]
            record = []
            field = ""
            state = "blank line"
        else:
            field += character
            if state != "blank line" or character not in " \t":
                state = "in field"
    if state == "quoted":
        raise ValueError("the file ends within quotes")
    if state != "blank line":
        yield [*record, field]


_COUNTERS = {"whitespace": _whitespace, "letters": _letters, "tweets-csv": _tweets}
