"""Bytes to text, piece by piece, as Python's own decoder would have done it in one go.

A character may be cut anywhere between two pieces. In strict mode the first bad byte ends the
stream with its offset, so that a person can find it; "replace" puts U+FFFD for every maximal
ill-formed part, which makes the outcome independent of where the pieces were cut.
"""

import codecs
from collections.abc import Iterable, Iterator

ERRORS = ("strict", "replace")


class BadEncoding(ValueError):
    """Not UTF-8. `offset` counts bytes from the first byte of the stream; `reason` is Python's."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"not UTF-8 at byte {offset} of the stream: {reason}")
        self.offset = offset
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadEncoding"], tuple[int, str]]:
        return type(self), (self.offset, self.reason)


def decoded(pieces: Iterable[bytes], errors: str = "strict") -> Iterator[str]:
    """The text of `pieces`, a str for each; raises BadEncoding, or ValueError for `errors`."""
    if errors not in ERRORS:
        raise ValueError(f"errors {errors!r}: one of {', '.join(ERRORS)} expected")
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    read = 0  # bytes handed to the decoder so far
    held = 0  # of them, those of a character it still waits to see the end of
    try:
        for piece in pieces:
            yield decoder.decode(piece)
            read += len(piece)
            held = len(decoder.getstate()[0])
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BadEncoding(read - held + error.start, error.reason) from None
