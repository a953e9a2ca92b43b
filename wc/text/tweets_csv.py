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
from enum import Enum, auto

COLUMN = "text"
# pandas' default values for a missing one.
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)

_FIELD_END = re.compile("[,\n]")
_NOT_BLANK = re.compile("[^ \t]")

# A field: quoted, bare, or empty. Atomic, so that a record that does not match fails at once.
_ANY_FIELD = r'(?>"(?:[^"]++|"")*+"[^,\n]*+|[^",\n][^,\n]*+|)'
_TEXT_FIELD = r'(?>"((?:[^"]++|"")*+)"([^,\n]*+)|([^",\n][^,\n]*+|))'


def _record_pattern(column: int, width: int) -> re.Pattern[str]:
    """Matches a whole record of up to `width` fields, and its newline; it begins with no blank.

    Its groups are about field number `column`: within its quotes, behind them; or the bare field.
    """
    before = f"(?:{_ANY_FIELD},){{{column}}}"
    after = f"(?:,{_ANY_FIELD}){{0,{width - column - 1}}}"
    return re.compile(rf"(?![ \t\n]){before}{_TEXT_FIELD}{after}\n")


class BadRecord(ValueError):
    """The CSV cannot be read as tweets; the message names the record and the line it starts on."""


def _place(record: int, line: int) -> str:
    return f"record {record}, which begins on line {line}"


def too_long(record: int, line: int, fields: int, width: int) -> BadRecord:
    """The error for a record with more fields than the header."""
    return BadRecord(f"{_place(record, line)}: {fields} fields where the header has {width}")


def open_quotes(record: int, line: int) -> BadRecord:
    """The error for a file that ends within quotes."""
    return BadRecord(f"{_place(record, line)}: the file ends within quotes")


class _State(Enum):
    """The parser's state: where in the grammar the next character is."""

    RECORD = auto()  # at the first character of a line, or after blanks only
    FIELD = auto()  # at the first character of a field
    BARE = auto()  # in a field, outside quotes
    QUOTED = auto()  # in a field, inside quotes
    QUOTE = auto()  # after a quote that either closes the field or is the first of two


class Tweets:
    """Reads one file, from its first character on: text in, words out."""

    def __init__(self) -> None:
        self._state = _State.RECORD
        self._first = True  # nothing was fed yet: a byte order mark may follow
        self._line = 1  # the current line of the file, counted from 1
        self._record = 0  # records begun; the header is record 1
        self._record_line = 1  # where the current record began
        self._blanks: list[str] = []  # at the beginning of a line: a blank line, or the first field
        self._fragments: list[str] = []  # of the current field, if it is the text
        self._field = 0  # the current field's index in its record
        self._header: list[str] | None = []  # column names so far; None once the header is read
        self._text_column = 0  # the index of the text column
        self._width = 0  # fields in the header
        self._text: str | None = None  # this record's value, once its field has ended
        self._whole: re.Pattern[str] | None = None  # matches a record; None before the header

    def feed(self, text: str) -> list[str]:
        """The words of the records that `text` completes. Raises BadRecord."""
        words: list[str] = []
        at = 0
        if self._first and text:
            self._first = False
            at = text.startswith("\ufeff")
        steps = {
            _State.RECORD: self._record_start,
            _State.FIELD: self._field_start,
            _State.BARE: self._bare,
            _State.QUOTED: self._quoted,
            _State.QUOTE: self._after_quote,
        }
        while at < len(text):
            if self._state is _State.RECORD and not self._blanks:
                at = self._whole_records(text, at, words)
                if at == len(text):
                    break
            at = steps[self._state](text, at, words)
        return words

    def finish(self) -> list[str]:
        """The words of a last record without a newline. Raises BadRecord if there is no header."""
        words: list[str] = []
        if self._state is _State.QUOTED:
            raise open_quotes(self._record, self._record_line)
        if self._state is not _State.RECORD:
            self._end_field()
            self._end_record(words)
        if self._header is not None:
            raise BadRecord(
                f"no header: a file of tweets begins with its columns' names ({COLUMN})"
            )
        return words

    def _whole_records(self, text: str, at: int, words: list[str]) -> int:
        """A fast path for most records: those that lie wholly in this piece, without errors.

        Stops at any other record, which the steps below then read a field at a time.
        """
        if not self._whole:
            return at
        while found := self._whole.match(text, at):
            within, after, bare = found.groups()
            self._take(bare if within is None else within.replace('""', '"') + after, words)
            self._record += 1
            self._line += text.count("\n", at, found.end())
            at = found.end()
        return at

    # A step for each state: it reads from `at` to where the state changes, and returns that place.

    def _record_start(self, text: str, at: int, _words: list[str]) -> int:
        found = _NOT_BLANK.search(text, at)
        end = found.start() if found else len(text)
        if end > at:
            self._blanks.append(text[at:end])
        if end == len(text):
            return end
        blanks = "".join(self._blanks)
        self._blanks.clear()
        if text[end] == "\n":
            self._line += 1
            return end + 1
        self._record += 1
        self._record_line = self._line
        self._field = 0
        self._text = None
        self._state = _State.FIELD
        if blanks:
            self._keep(blanks)
            self._state = _State.BARE
        return end

    def _field_start(self, text: str, at: int, _words: list[str]) -> int:
        if text[at] == '"':
            self._state = _State.QUOTED
            return at + 1
        self._state = _State.BARE
        return at

    def _bare(self, text: str, at: int, words: list[str]) -> int:
        found = _FIELD_END.search(text, at)
        end = found.start() if found else len(text)
        self._keep(text[at:end])
        if not found:
            return end
        self._end_field()
        if text[end] == ",":
            self._field += 1
            self._state = _State.FIELD
        else:
            self._end_record(words)
            self._line += 1
            self._state = _State.RECORD
        return end + 1

    def _quoted(self, text: str, at: int, _words: list[str]) -> int:
        end = text.find('"', at)
        if end < 0:
            end = len(text)
        else:
            self._state = _State.QUOTE
        self._keep(text[at:end])
        self._line += text.count("\n", at, end)
        return end + 1

    def _after_quote(self, text: str, at: int, _words: list[str]) -> int:
        if text[at] == '"':
            self._keep('"')
            self._state = _State.QUOTED
            return at + 1
        self._state = _State.BARE
        return at

    def _keep(self, fragment: str) -> None:
        if self._header is not None or self._field == self._text_column:
            self._fragments.append(fragment)

    def _end_field(self) -> None:
        if self._header is None and self._field != self._text_column:
            return
        value = "".join(self._fragments)
        self._fragments.clear()
        if self._header is not None:
            self._header.append(value)
        else:
            self._text = value

    def _end_record(self, words: list[str]) -> None:
        if self._header is not None:
            self._read_header(self._header)
            return
        if self._field >= self._width:
            raise too_long(self._record, self._record_line, self._field + 1, self._width)
        self._take(self._text, words)

    @staticmethod
    def _take(text: str | None, words: list[str]) -> None:
        if text is None or text in MISSING:
            words.append("nan")
        else:
            words.extend(text.split(" "))

    def _read_header(self, names: list[str]) -> None:
        if COLUMN not in names:
            where = _place(self._record, self._record_line)
            raise BadRecord(f"{where}: no column {COLUMN!r} among {names!r:.200}")
        self._text_column = names.index(COLUMN)
        self._width = len(names)
        self._whole = _record_pattern(self._text_column, self._width)
        self._header = None


def columns(header: bytes, last: bool) -> tuple[int, int]:
    """The index of the text column, and the number of columns, of a file that begins with `header`.

    `header` is the file up to the header's newline; `last`: it is the whole file. Raises BadRecord.
    """
    reader = Tweets()
    reader.feed(header.decode())
    if last:
        reader.finish()
    return reader._text_column, reader._width
