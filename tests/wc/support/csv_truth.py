"""What pandas makes of a file of tweets: the definition that two implementations must meet."""

import io

import pandas as pd
from hypothesis import strategies as st

_FIELDS = st.lists(
    st.sampled_from(
        [
            *'ab \t\n\r",é\u3000\0\ufeff',
            "  ",
            '""',
            "x" * 30,
            "nan",
            "null",
            "N/A",
            "#N/A N/A",
            "None",
            "NA",
            "-nan",
            "1.50",
            "007",
            "True",
        ]
    ),
    max_size=5,
).map("".join)

rows = st.lists(st.lists(_FIELDS, min_size=1, max_size=3), max_size=6)

# Raw text: quotes in the wrong places, blank lines, records too short and too long.
raw = st.lists(
    st.sampled_from(
        ['"', '"', ",", "\n", "\n", " ", "\t", "\r", "a", "b c", "nan", "\0", "é", "text"]
    ),
    max_size=25,
).map("".join)
headers = st.sampled_from(
    [
        *("text\n", "id,text\n", "id,text,n\n", '"text",id\n', '\ufeff"text",id\n'),
        *("\n \nid,text\n", "text,id,text\n", " text,id\n", "id,text", "", "\ufeff"),
        *('id,"te""xt"\n', "id\r,text\r\n"),
    ]
)

# All that pandas' manual says is missing, and what only looks like it.
missing_or_not = "id,text\n" + "".join(
    f"0,{text}\n"
    for text in [
        *("", '""', " ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan"),
        *("1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
        *("Null", "none", "NAN", "Nan", "N/a", "na", "<na>", "nan ", " NA", "#n/a", '"NA"', "-"),
        *("1.#INF", "NaT", "\u2400", "n/a\r", "+nan"),
    ]
)


def words(data: bytes) -> list[str] | None:
    """The words that the labs count, or None where pandas finds the file faulty.

    The text column is kept as text (no conversion of a column of numbers), and a first record
    longer than the header counts as faulty: pandas takes its first columns for an index.
    """
    try:
        frame = pd.read_csv(io.BytesIO(data), lineterminator="\n", dtype={"text": str})
        column = frame["text"]
    except (pd.errors.ParserError, pd.errors.EmptyDataError, KeyError):
        return None
    if not isinstance(frame.index, pd.RangeIndex):
        return None
    return [word for text in column for word in ("nan" if pd.isna(text) else text).split(" ")]
