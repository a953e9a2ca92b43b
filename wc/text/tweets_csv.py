r"""The `text` column of a CSV file of tweets, as pandas' C parser reads it.

The words are those of `text.split(" ")` for each value of
`pandas.read_csv(file, lineterminator="\n")["text"]`: two spaces in a row give the empty word,
a newline or \r within a quoted field stays in its word, and a missing value is the word "nan".
A value is missing when its field is, or when it is one of `MISSING`.

Like pandas: a quote means something only as a field's first character and until it is closed
(what follows, up to the delimiter, is taken as it stands); \r outside quotes is an ordinary
character; a line of nothing, or of blanks and tabs, is no record; a byte order mark before the
header is dropped.
Unlike pandas: a column of nothing but numbers or booleans is not converted and written back
(`1.50` stays `1.50`), and a first record longer than the header is an error, where pandas would
take the columns in front for an index and shift the names.
"""

import re
from enum import Enum, auto

COLUMN = "text"
# pandas' default set of values that mean "not there".
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)

_FIELD_END = re.compile("[,\n]")
_NOT_BLANK = re.compile("[^ \t]")

# A field, atomic so that a record that does not fit is given up at once: quoted, bare, or empty.
_ANY_FIELD = r'(?>"(?:[^"]++|"")*+"[^,\n]*+|[^",\n][^,\n]*+|)'
_TEXT_FIELD = r'(?>"((?:[^"]++|"")*+)"([^,\n]*+)|([^",\n][^,\n]*+|))'


def _record_pattern(wanted: int, width: int) -> re.Pattern[str]:
    """Matches a whole record of up to `width` fields, with its newline, that begins with no blank.

    Its groups: of the field `wanted`, what is within quotes and what follows them, or all of it.
    """
    before = f"(?:{_ANY_FIELD},){{{wanted}}}"
    after = f"(?:,{_ANY_FIELD}){{0,{width - wanted - 1}}}"
    return re.compile(rf"(?![ \t\n]){before}{_TEXT_FIELD}{after}\n")


class BadRecord(ValueError):
    """The CSV cannot be read as tweets; the message names the record and the line it starts on."""


def _place(record: int, line: int) -> str:
    return f"record {record}, which begins on line {line}"


def too_long(record: int, line: int, fields: int, width: int) -> BadRecord:
    """What is wrong with a record of more fields than the header."""
    return BadRecord(f"{_place(record, line)}: {fields} fields where the header has {width}")


def open_quotes(record: int, line: int) -> BadRecord:
    """What is wrong with the last record of a file."""
    return BadRecord(f"{_place(record, line)}: the file ends within quotes")


class _At(Enum):
    """Where in the grammar the next character stands."""

    RECORD = auto()  # at the first character of a line, or after blanks only
    FIELD = auto()  # at the first character of a field
    BARE = auto()  # in a field, outside quotes
    QUOTED = auto()  # in a field, inside quotes
    QUOTE = auto()  # after a quote that either closes the field or is the first of two


class Tweets:
    """One reading of one file, from its first character on: feed it text, it gives words."""

    def __init__(self) -> None:
        self._at = _At.RECORD
        self._first = True  # nothing fed yet: a byte order mark may come
        self._line = 1  # of the file, counted from 1, where we are
        self._record = 0  # records begun; the header is record 1
        self._record_line = 1  # where the current record began
        self._blanks: list[str] = []  # at a line's start: nothing, or the first field's beginning
        self._fragments: list[str] = []  # of the current field, if it is wanted
        self._field = 0  # the current field's index in its record
        self._header: list[str] | None = []  # names gathered so far; None once the header is read
        self._wanted = 0  # the index of the text column
        self._width = 0  # fields in the header
        self._text: str | None = None  # this record's value, once its field has ended
        self._whole: re.Pattern[str] | None = None  # a record; known once the header is read

    def feed(self, text: str) -> list[str]:
        """The words of the records that `text` finishes; raises BadRecord."""
        words: list[str] = []
        at = 0
        if self._first and text:
            self._first = False
            at = text.startswith("\ufeff")
        steps = {
            _At.RECORD: self._record_start,
            _At.FIELD: self._field_start,
            _At.BARE: self._bare,
            _At.QUOTED: self._quoted,
            _At.QUOTE: self._after_quote,
        }
        while at < len(text):
            if self._at is _At.RECORD and not self._blanks:
                at = self._whole_records(text, at, words)
                if at == len(text):
                    break
            at = steps[self._at](text, at, words)
        return words

    def finish(self) -> list[str]:
        """The words of a last record without a newline; raises BadRecord if there is no header."""
        words: list[str] = []
        if self._at is _At.QUOTED:
            raise open_quotes(self._record, self._record_line)
        if self._at is not _At.RECORD:
            self._end_field()
            self._end_record(words)
        if self._header is not None:
            raise BadRecord(
                f"no header: a file of tweets begins with its columns' names ({COLUMN})"
            )
        return words

    def _whole_records(self, text: str, at: int, words: list[str]) -> int:
        """The short way for what most records are: plain, and whole in this piece.

        It stops at any other, to which the steps below give the time and the errors it deserves.
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

    # Each step takes the characters it understands from `at` on and returns where it stopped.

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
        self._at = _At.FIELD
        if blanks:
            self._keep(blanks)
            self._at = _At.BARE
        return end

    def _field_start(self, text: str, at: int, _words: list[str]) -> int:
        if text[at] == '"':
            self._at = _At.QUOTED
            return at + 1
        self._at = _At.BARE
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
            self._at = _At.FIELD
        else:
            self._end_record(words)
            self._line += 1
            self._at = _At.RECORD
        return end + 1

    def _quoted(self, text: str, at: int, _words: list[str]) -> int:
        end = text.find('"', at)
        if end < 0:
            end = len(text)
        else:
            self._at = _At.QUOTE
        self._keep(text[at:end])
        self._line += text.count("\n", at, end)
        return end + 1

    def _after_quote(self, text: str, at: int, _words: list[str]) -> int:
        if text[at] == '"':
            self._keep('"')
            self._at = _At.QUOTED
            return at + 1
        self._at = _At.BARE
        return at

    def _keep(self, fragment: str) -> None:
        if self._header is not None or self._field == self._wanted:
            self._fragments.append(fragment)

    def _end_field(self) -> None:
        if self._header is None and self._field != self._wanted:
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
        self._wanted = names.index(COLUMN)
        self._width = len(names)
        self._whole = _record_pattern(self._wanted, self._width)
        self._header = None


def columns(header: bytes, last: bool) -> tuple[int, int]:
    """The text column's index, and how many columns there are, of a file that begins with `header`.

    That is all of it up to the header's newline, or the whole file if it is the `last` there is.
    Raises BadRecord.
    """
    reader = Tweets()
    reader.feed(header.decode())
    if last:
        reader.finish()
    return reader._wanted, reader._width
