r"""The `text` column of a CSV file of tweets, as pandas' C parser reads it.

The words are those of `text.split(" ")` for each value of
`pandas.read_csv(file, lineterminator="\n")["text"]`: two spaces in a row give the empty word,
a newline or \r within a quoted field stays in its word, and a missing value is the word "nan".
A value is missing when its field is, or when it is one of `MISSING`.

Like pandas: a quote is special only as a field's first character, and until it is closed; what
follows the closing quote, up to the delimiter, is kept as it stands. \r outside quotes is an
ordinary character. A line that is empty, or has only blanks and tabs, is no record. A byte order
mark before the header is dropped.
Unlike pandas: a column of only numbers or booleans is not converted and written back (`1.50` stays
`1.50`). A first record with more fields than the header is an error; pandas would take its first
columns as an index and shift the names.
"""

import re

from wc.text.word_limit import LONGEST_WORD, is_too_long

COLUMN = "text"
#: Characters of a record, or of the header.
LONGEST_RECORD = 4 * LONGEST_WORD
# pandas' default values for a missing one.
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)

# Nothing here gives back what it has matched, so a record costs its length, whatever is in it.
_BLANK_LINES = r"(?:[ \t]*+\n)*+"
#: A field, as what is within its quotes and what is behind them (of a bare field, all of it).
_PARTS = r'(?:"([^"]*+(?:""[^"]*+)*+)"|(?!"))([^,\n]*+)'
_FIELD = _PARTS.replace("([", "(?:[")  # without groups
_NEXT_FIELD = re.compile(rf"{_PARTS}[,\n]")
_BLANK = re.compile(_BLANK_LINES)
_RECORD = re.compile(rf"{_BLANK_LINES}({_FIELD}(?:,{_FIELD})*\n)")


def _records(column: int, width: int) -> re.Pattern[str]:
    """Matches a record of up to `width` fields, with the blank lines before it; or else all the
    rest, as its third group. The first two are the parts of field number `column`, if it is there.
    """
    whole = f"(?:{_FIELD},){{{column}}}{_PARTS}(?:,{_FIELD}){{0,{width - column - 1}}}"
    short = f"{_FIELD}(?:,{_FIELD}){{0,{column - 1}}}" if column else "(?!)"
    return re.compile(rf"{_BLANK_LINES}(?:{whole}|{short})\n|([\s\S]+)")


class BadRecord(ValueError):
    """The CSV cannot be read as tweets; the message names the record and the line it starts on."""


class Tweets:
    """Reads one file, from its first character on: text in, words out."""

    def __init__(self) -> None:
        self._rest: list[str] = []  # what was fed, from the first record on that is not complete
        self._size = 0  # characters of it
        self._enough = 0  # with as many it is tried again
        self._first = True  # nothing was fed yet: a byte order mark may follow
        self._line = 1  # where the rest begins in the file, counted from 1
        self._record = 0  # records read; the header is record 1
        self._width = 0  # fields in the header
        self._records: re.Pattern[str] | None = None  # None before the header

    def feed(self, text: str) -> list[str]:
        """Words of the records that are complete by now. Raises BadRecord."""
        if self._first and text:
            self._first = False
            text = text.removeprefix("\ufeff")
        self._rest.append(text)
        self._size += len(text)
        return self._read() if self._size >= self._enough else []

    def finish(self) -> list[str]:
        """The words of all other records; the last needs no newline. Raises BadRecord."""
        self._rest.append("\n")
        words = self._read()
        if "".join(self._rest).strip(" \t\n"):
            raise BadRecord(f"{self._place()}: the file ends within quotes")
        if self._records is None:
            raise BadRecord(
                f"no header: a file of tweets begins with its columns' names ({COLUMN})"
            )
        return words

    def _read(self) -> list[str]:
        text = "".join(self._rest)
        self._keep(text)
        if self._records is None:
            if not (header := _RECORD.match(text)):
                self._require_end_soon()
                return []
            self._records = self._read_header(header[1])
            text = text[header.end() :]
            self._line += header[0].count("\n")
            self._record = 1
        found = self._records.findall(text)
        rest = found.pop()[2] if found and found[-1][2] else ""
        self._keep(rest)
        self._line += text.count("\n", 0, len(text) - len(rest))
        self._record += len(found)
        if record := _RECORD.match(rest):
            fields = len(_NEXT_FIELD.findall(record[1]))
            raise BadRecord(f"{self._place()}: {fields} fields where the header has {self._width}")
        self._require_end_soon()
        values = [within.replace('""', '"') + behind for within, behind, _ in found]
        texts = ["nan" if value in MISSING else value for value in values]
        for number, value in enumerate(texts, self._record - len(texts) + 1):
            if len(value) > LONGEST_WORD // 4 and any(map(is_too_long, value.split(" "))):
                raise BadRecord(f"record {number}: a word of more than {LONGEST_WORD >> 20} MiB")
        return " ".join(texts).split(" ") if texts else []

    def _require_end_soon(self) -> None:
        """Raise BadRecord if the record that is not complete is too long already."""
        if self._size > LONGEST_RECORD:
            raise BadRecord(
                f"{self._place()}: longer than {LONGEST_RECORD >> 20} million characters; "
                "is a quote never closed?"
            )

    def _keep(self, rest: str) -> None:
        """Read on when there is twice as much: so a long record in many pieces costs its length."""
        self._rest = [rest]
        self._size, self._enough = len(rest), 2 * len(rest)

    def _place(self) -> str:
        """Where the first record of the rest begins."""
        blank = _BLANK.match("".join(self._rest))
        line = self._line + (blank[0].count("\n") if blank else 0)
        return f"record {self._record + 1}, which begins on line {line}"

    def _read_header(self, record: str) -> re.Pattern[str]:
        names = [
            within.replace('""', '"') + behind for within, behind in _NEXT_FIELD.findall(record)
        ]
        if COLUMN not in names:
            hint = ""
            if f"{COLUMN}\r" in names:
                hint = "; its lines end in CRLF: convert it with dos2unix, or sed -i 's/\\r$//'"
            raise BadRecord(f"{self._place()}: no column {COLUMN!r} among {names!r:.200}{hint}")
        self._width = len(names)
        return _records(names.index(COLUMN), self._width)
