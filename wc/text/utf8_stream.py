"""Decoding UTF-8 piece by piece, with the result of decoding all bytes at once.

Pieces may be cut within a character. In strict mode the first ill-formed byte ends the stream, and
the error says its offset, so that a person can find it. "replace" gives one U+FFFD for every
maximal ill-formed part, so the result does not depend on where the pieces were cut.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import tee

ERRORS = ("strict", "replace")


class BadEncoding(ValueError):
    """Not UTF-8. `offset` counts bytes from the first byte of the stream; `reason` is Python's."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"not UTF-8 at byte {offset} of the stream: {reason}")
        self.offset = offset
        self.reason = reason


def decode_stream(pieces: Iterable[bytes], errors: str = "strict") -> Iterator[str]:
    """The text of `pieces`, a str for each. Raises BadEncoding, or ValueError for `errors`."""
    if errors not in ERRORS:
        raise ValueError(f"errors {errors!r}: one of {', '.join(ERRORS)} expected")
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    read = 0  # bytes handed to the decoder so far
    pending = 0  # of them, those of a character that is not complete yet
    try:
        for piece in pieces:
            yield decoder.decode(piece)
            read += len(piece)
            pending = len(decoder.getstate()[0])
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BadEncoding(read - pending + error.start, error.reason) from None


def encoded_stream(pieces: Iterable[bytes], errors: str = "strict") -> Iterator[bytes]:
    """The same text in UTF-8, cut as the pieces are. Raises what `decode_stream` does."""
    if errors != "strict":
        return (text.encode() for text in decode_stream(pieces, errors))
    pieces, checked = tee(pieces)
    # At the end the decoder has a last text, of a character that is not complete.
    return (piece for _, piece in zip(decode_stream(checked), pieces, strict=False))
