"""What the options of the job commands may be."""

from __future__ import annotations

from provision.inventory.units import count, duration, one_of, size

TOKENIZER = one_of("whitespace", "letters", "tweets-csv")
ENCODING_ERRORS = one_of("strict", "replace")
SPLIT_SIZE = size().or_word("auto", "auto")
#: How many words are published at most, if nothing else is asked for.
FIRST_WORDS = 100_000
#: How many of the most frequent words are published; 0 means all.
PUBLISH = count(1).or_word("all", 0).or_word("auto", FIRST_WORDS)
#: How many rows to show.
ROWS = count()
#: How many words `start-job` shows at the end; more than there can be stands for all.
EVERY_WORD = 1 << 62
WORDS = count().or_word("all", EVERY_WORD)
#: How old a job is, seconds.
AGE = duration(0)
#: Seconds between two updates of `status --watch`.
EVERY = duration(0.01, 86400)
