"""A delta has one encoding, survives the round trip, and is refused when anything is off."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wc.support import strategies as given_
from wc.counts import delta
from wc.counts.delta import place

SAMPLE = {"": 3, "b": 1, "a": 300, "é": 2, "\U0001f980": 1, "x" * 300: 70000}


def resealed(packed: bytes) -> bytes:
    """The same bytes with a digest that fits them: as a faulty writer would have sent them."""
    return packed[:4] + delta._digest(packed[20:]) + packed[20:]


def test_layout():
    # Given two words; If packed; Expect the documented bytes, written out here by hand.
    packed = delta.pack({"é": 1, "a": 258})
    assert packed[:4] == b"FLD\x02"
    assert packed[4:20] == delta.checksum(packed)
    assert packed[20:40] == struct.pack("<QQBB2x", 2, 259, 2, 1)
    # "a", whose hash is 3610e35c, comes before "é", 4623e6fb
    assert packed[40:] == bytes([2, 1, 1, 0]) + bytes([1, 2]) + "aé".encode()
    assert delta.header(packed) == delta.Header(2, 259, 2, 1)


def test_no_words():
    packed = delta.pack({})
    assert len(packed) == delta.HEADER_BYTES
    assert delta.header(packed) == delta.Header(0, 0, 1, 1)
    assert delta.unpack(packed) == {}


@given(given_.counts)
def test_round_trip(counts):
    packed = delta.pack(counts)
    unpacked = delta.unpack(packed)
    assert unpacked == counts
    assert list(unpacked) == sorted(counts, key=lambda word: (place(word.encode()), word))


@given(given_.counts, st.randoms(use_true_random=False))
def test_equal_counts_equal_bytes(counts, random):
    # Given the same counts gathered in another order; Expect the same bytes.
    items = list(counts.items())
    random.shuffle(items)
    assert delta.pack(dict(items)) == delta.pack(counts)


@given(given_.counts, given_.counts)
def test_other_counts_other_bytes(a, b):
    assert (delta.pack(a) == delta.pack(b)) == (a == b)


@pytest.mark.parametrize("count", [1, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1])
def test_widths_are_minimal(count):
    packed = delta.pack({"w": count})
    assert 256 ** delta.header(packed).count_width > count
    assert delta.unpack(packed) == {"w": count}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 0}, "count of 'a' is 0"),
        ({"a": -1}, "count of 'a' is -1"),
        ({"a": 2**64}, "do not fit in 64 bits"),
        ({"a": 2**63, "b": 2**63}, "do not fit in 64 bits"),
        ({"\ud800": 1}, "no UTF-8 encoding"),
    ],
)
def test_unpackable_counts(counts, message):
    with pytest.raises(delta.DeltaError, match=message):
        delta.pack(counts)


def test_every_damaged_bit_is_refused():
    # Given a sample; If any single byte is changed, to any other value for the header and
    # by any one bit after it; Expect a refusal.
    packed = delta.pack(SAMPLE)
    for at in range(len(packed)):
        values = range(256) if at < 44 else [packed[at] ^ 1 << bit for bit in range(8)]
        for value in set(values) - {packed[at]}:
            with pytest.raises(delta.DeltaError):
                delta.unpack(packed[:at] + bytes([value]) + packed[at + 1 :])


def test_every_damaged_byte_with_a_fitting_digest_is_refused_or_canonical():
    # Given a writer that seals nonsense; Expect what is accepted to be what `pack` writes.
    packed = delta.pack(SAMPLE)
    for at in range(20, len(packed)):
        for bit in range(8):
            forged = resealed(packed[:at] + bytes([packed[at] ^ 1 << bit]) + packed[at + 1 :])
            try:
                counts = delta.unpack(forged)
            except delta.DeltaError:
                continue
            assert delta.pack(counts) == forged


def test_every_truncation_and_trailing_bytes_are_refused():
    packed = delta.pack(SAMPLE)
    for wrong in [*(packed[:n] for n in range(len(packed))), packed + b"\0", packed + packed]:
        with pytest.raises(delta.DeltaError):
            delta.unpack(wrong)
        if len(wrong) >= delta.HEADER_BYTES:
            with pytest.raises(delta.DeltaError):
                delta.unpack(resealed(wrong))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused(noise):
    for wrong in (noise, resealed(b"FLD\x02" + bytes(16) + noise)):
        with pytest.raises(delta.DeltaError):
            delta.unpack(wrong)


def body(words: int, total: int, widths: bytes, rest: bytes) -> bytes:
    return resealed(b"FLD\x02" + bytes(16) + struct.pack("<QQ", words, total) + widths + rest)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b"", "0 bytes"),
        (b"PK\x03\x04" + bytes(40), "not a delta"),
        (b"FLD\x01" + bytes(40), "version 1 at byte 3"),
        (body(0, 0, b"\x03\x01\0\0", b""), "count width 3 at byte 36"),
        (body(0, 0, b"\x01\x08\0\0", b""), "length width 8 at byte 37"),
        (body(0, 0, b"\x01\x01\0\x01", b""), "bytes 38 and 39"),
        (body(2**64 - 1, 1, b"\x01\x01\0\0", b"ab"), "truncated"),
        (body(1, 1, b"\x02\x01\0\0", b"\x01\0\x01a"), "count width 2 where 1"),
        (body(1, 1, b"\x01\x02\0\0", b"\x01\x01\0a"), "length width 2 where 1"),
        (body(1, 2, b"\x01\x01\0\0", b"\x01\x01a"), "add up to 1, the header says 2"),
        (body(1, 0, b"\x01\x01\0\0", b"\0\x01a"), "count 0 is 0"),
        (body(1, 1, b"\x01\x01\0\0", b"\x01\x02a"), "should take 2 bytes from byte 42, but 1"),
        (body(2, 2, b"\x01\x01\0\0", b"\x01\x01\x01\x01ba"), "word 1 .'a'. is not behind"),
        (body(2, 2, b"\x01\x01\0\0", b"\x01\x01\x01\x01aa"), "word 1 .'a'. is not behind"),
        (body(1, 1, b"\x01\x01\0\0", b"\x01\x01\xff"), "not UTF-8"),
        (body(2, 2, b"\x01\x01\0\0", b"\x01\x01\x01\x01\xc3\xa9"), "not UTF-8"),
    ],
)
def test_messages_say_what_and_where(wrong, message):
    with pytest.raises(delta.DeltaError, match=message):
        delta.unpack(wrong)
