"""Inputs that hurt: bytes and cuts that tests of counting draw from."""

from hypothesis import strategies as st

SPACES = [chr(c) for c in range(0x110000) if chr(c).isspace()]

# Whole characters, the beginnings of some, and bytes that belong nowhere.
_NASTY = [
    *(
        s.encode()
        for s in ["a", "b", "Z", "\0", "é", "ß", "İ", "Σ", "Ⅷ", "½", "7", "_", "漢", "\U0001d4b3"]
    ),
    *(s.encode() for s in [*SPACES, "\r\n", "\ufeff", "\U0001f980", "\u200b", "\u0301"]),
    *(s.encode()[:cut] for s in ["é", "\u2003", "\u3000", "\U0001f980"] for cut in (1, 2, 3)),
    *(bytes([b]) for b in (0x80, 0x85, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF)),
    b"\xe0\x80\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf0\x80",
]

nasty_bytes = st.lists(st.sampled_from(_NASTY), max_size=60).map(b"".join)
nasty_text = st.lists(
    st.sampled_from([token for token in _NASTY if token.decode(errors="ignore").encode() == token]),
    max_size=60,
).map(lambda tokens: b"".join(tokens).decode())
sizes = st.integers(min_value=1, max_value=12)
piece_sizes = st.one_of(sizes, st.just(65536))  # cut all over, or not at all

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
counts = st.dictionaries(words, st.integers(1, 2**40), max_size=12)


def cut(data: bytes, size: int) -> list[bytes]:
    """`data` in pieces of `size` bytes."""
    return [data[at : at + size] for at in range(0, len(data), size)]
