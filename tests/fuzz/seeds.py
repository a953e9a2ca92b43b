"""What the fuzzers begin with: some texts and some deltas, laid out as the harnesses read them."""

from __future__ import annotations

from pathlib import Path

from wc import delta

SPACES = "".join(chr(c) for c in range(0x3001) if chr(c).isspace())
WORDS = "to be or not to be, that is the question: Whether 'tis nobler in the mind to suffer"

TEXTS = [
    WORDS.encode(),
    "é".join(SPACES).encode(),
    SPACES.encode() + b"end",
    b"abcdefghijkl abcdefghijklm abcdefghijklmnop abcdefghijklmnopq " * 3,
    " ".join(f"w{n * n}" for n in range(250)).encode(),
    b"same start of many words " + b" ".join(b"x" * 30 + b"%d" % n for n in range(60)),
    "漢字\u3000漢字\u2003\U0001f980\u00a0straße".encode() * 20,
    b"zeros \0 \0\0 a\0 a a\0\0\0\0\0\0\0\0\0 a\0\0\0\0\0\0\0\0",
    b"cut \xe3\x80",
    b"no start \x80",
    b"surrogate \xed\xa0\x80 more",
    b"long" * 100 + b" " + b"\xe2\x80\x83" * 50,
]

COUNTS: list[dict[str, int]] = [
    {},
    {"": 1},
    {"a": 1, "é": 258},
    {word: 2**at for at, word in enumerate(WORDS.split())},
    {"many": 2**40, "few": 1},
    {"all": 2**64 - 1},
    {"x" * 300: 1, "x" * 12: 2, "x" * 13: 3, "\0": 4, "\0\0": 5},
    {f"w{n}": n + 1 for n in range(100)},
    {"\ud7ff": 1, "\ue000": 1, "\uffff": 1, "\U00010000": 1, "\U0010ffff": 1},
]


def write_seeds(target: str, folder: Path) -> None:
    """Write a target's first inputs into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_texts() if target == "count" else _deltas()):
        (folder / f"seed-{number:02}").write_bytes(seed)


def _texts() -> list[bytes]:
    whole = [bytes(8) + b"\0\5" + b"\0" + text for text in TEXTS]
    lengths = bytes([1, 2, 3, 5, 7, 11, 13, 64, 63, 65, 0, 17, 31, 127, 128, 255])
    return whole + [bytes(8) + b"\0\2" + b"\x1f" + text + lengths for text in TEXTS]


def _deltas() -> list[bytes]:
    # A multiple of four: the rest is a delta. Else deltas are built of the rest, and damaged.
    raw = [b"\0" + delta.pack(counts) for counts in COUNTS]
    return raw + [b"\1\20\0\0" + text for text in TEXTS] + [b"\3\60\0\0" + text for text in TEXTS]
