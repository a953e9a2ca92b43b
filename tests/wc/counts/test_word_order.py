"""The order of a delta's words: a hash that is written down, and bytes where it is the same."""

from __future__ import annotations

from types import ModuleType

import pytest

from wc.counts import delta, python_kernel
from wc.counts.delta import place

#: More than enough for some pairs of 32 bits to be equal: 2^34 / 2^33 are to be expected.
MANY = 2**17


@pytest.mark.parametrize(
    ("word", "hashed"),
    [
        ("", 0xD83DD759),
        ("a", 0x3610E35C),
        ("b", 0xD2587AE3),
        ("é", 0x4623E6FB),
        ("abcdefghijklmno", 0x365A772D),
        ("abcdefghijklmnop", 0x0B280A86),
        ("abcdefghijklmnopq" * 3, 0xC9D46C69),
    ],
)
def test_hashes_of_the_format(word: str, hashed: int) -> None:
    # What deltas that are kept were ordered by: it cannot change without another version.
    assert place(word.encode()) == hashed


def same_hash(words: list[bytes]) -> list[bytes]:
    """Those words whose hash another one has."""
    by_hash: dict[int, list[bytes]] = {}
    for word in words:
        by_hash.setdefault(place(word), []).append(word)
    return [word for group in by_hash.values() if len(group) > 1 for word in group]


@pytest.mark.parametrize("end", ["", " of more than fifteen bytes".replace(" ", "-")])
def test_words_of_the_same_hash_are_ordered_by_their_bytes(compiled: ModuleType, end: str) -> None:
    # Given words of which some share a hash
    alike = same_hash([f"{n:x}{end}".encode() for n in range(MANY)])
    assert alike
    text = b" ".join(sorted(alike, reverse=True))
    # If both kernels pack them
    packed = compiled.count([text], "whitespace")
    # Expect the same bytes, the hashes ascending, and then the words
    assert packed == python_kernel.count([text], "whitespace")
    read = [word.encode() for word in delta.unpack(packed)]
    assert read == sorted(alike, key=lambda word: (place(word), word))
    tally = compiled.Tally()
    tally.add(packed)
    assert tally.pack() == packed


def test_words_of_the_same_hash_in_another_order_are_refused(
    compiled: ModuleType,
) -> None:
    # Given a delta of two words that share a hash, with the second one first
    first, second = same_hash([f"{n:x}".encode() for n in range(MANY)])[:2]
    packed = delta.pack({first.decode(): 1, second.decode(): 1})
    lower, upper = sorted([first, second])
    assert packed.endswith(lower + upper)
    start = delta.HEADER_BYTES + 2
    columns = bytes([1, 1, len(upper), len(lower)])
    body = packed[delta.BODY_START : start - 2] + columns + upper + lower
    wrong = packed[: delta.DIGEST_START] + delta._digest(body) + body
    # Expect both kernels to refuse it
    for tally in (python_kernel.Tally(), compiled.Tally()):
        with pytest.raises(delta.DeltaError, match="not behind the word before it"):
            tally.add(wrong)
        assert len(tally) == 0


def test_another_version_is_named(compiled: ModuleType) -> None:
    packed = delta.pack({"a": 1})
    for tally in (python_kernel.Tally(), compiled.Tally()):
        with pytest.raises(delta.DeltaError, match=r"only 2 is known here .* start the job anew"):
            tally.add(packed[:3] + b"\1" + packed[4:])
