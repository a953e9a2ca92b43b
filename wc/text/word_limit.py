"""How long a word may be.

Redis refuses a value of more than 512 MB and a command of more than 1 GB. Words are published 250
in a command, so 4 MiB is the most that always passes.
"""

#: Bytes of a word in UTF-8, before it is lower-cased; also LONGEST_WORD in the compiled kernel.
LONGEST_WORD = 4 << 20


def is_too_long(word: str) -> bool:
    return len(word) > LONGEST_WORD // 4 and len(word.encode()) > LONGEST_WORD


class WordTooLong(ValueError):
    """A word of more than LONGEST_WORD bytes; usually the input is no text."""

    def __init__(self) -> None:
        super().__init__(f"a word of more than {LONGEST_WORD >> 20} MiB")
