"""What the fuzzers begin with: some texts and some deltas, laid out as the harnesses read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wc.counts import delta

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

RUNS = [
    b"The QUICK brown Fox@[`{ AZaz jumps-over_the 7 lazy dogs" * 3,
    "Страшно, аж Жуть «ёлки» STRASSE Straße naïve CAFÉ".encode() * 4,
    "漢字、漢字。\U0001d4b3\U00010400x\u00c9".encode() * 20,
    b"x" * 70 + "é".encode() * 70 + b"Y" * 70,
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
    for number, seed in enumerate(_SEEDS[target]()):
        (folder / f"seed-{number:02}").write_bytes(seed)


def _texts() -> list[bytes]:
    lengths = bytes([1, 2, 3, 5, 7, 11, 13, 64, 63, 65, 0, 17, 31, 127, 128, 255])
    whole = [bytes(8) + b"\0\5" + how + text for how in (b"\0", b"\2") for text in TEXTS + RUNS]
    cut = [b"\x3d", b"\x1f"]  # by all lengths, or into runs by eight
    return whole + [
        bytes(8) + b"\0\2" + how + text + lengths for how in cut for text in TEXTS + RUNS
    ]


def _deltas() -> list[bytes]:
    # A multiple of four: the rest is a delta. Else deltas are built of the rest, and damaged.
    raw = [b"\0" + delta.pack(counts) for counts in COUNTS]
    return raw + [b"\1\20\0\0" + text for text in TEXTS] + [b"\3\60\0\0" + text for text in TEXTS]


_SEEDS: dict[str, Callable[[], list[bytes]]] = {"count": _texts, "delta": _deltas}
