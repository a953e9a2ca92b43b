"""A split's bytes are those planned, or an error says how the file differs."""

import bz2
import gzip
import lzma
import os
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.wc.support import strategies as given_
from wc.counts import delta, kernel
from wc.inputs.expand import expand
from wc.inputs.split_reader import PIECE_BYTES, BadInput, InputChanged, SplitReader
from wc.jobs.splits import FileSplit
from wc.verify.serial_count import count_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def whole_file(path, compression="none"):
    status = path.stat()
    return FileSplit(str(path), 0, status.st_size, status.st_size, status.st_mtime_ns, compression)


def splits(whole, length):
    return [
        replace(whole, offset=at, length=min(length, whole.size - at))
        for at in range(0, whole.size, length)
    ]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(given_.nasty_bytes, given_.sizes)
def test_splits_of_a_file_add_up(tmp_path, data, size):
    path = tmp_path / "input"
    path.write_bytes(data)
    tally = kernel.new_tally()
    read = []
    for split in splits(whole_file(path), size):
        pieces = SplitReader(split, splittable=True)
        read.append(b"".join(pieces))
        assert data[pieces.start :].startswith(read[-1])
        tally.add(kernel.count([read[-1]], "whitespace", "replace"))
    assert b"".join(read) == data
    assert dict(tally.items()) == Counter(data.decode(errors="replace").split())


def test_pieces_are_small_and_the_file_is_closed(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"word " * 100_000)
    open_files = Path("/proc/self/fd")

    def opened():
        return sum(os.path.realpath(fd) == str(path) for fd in open_files.iterdir())

    for split in splits(whole_file(path), 200_000):
        sizes = [len(piece) for piece in SplitReader(split, splittable=True)]
        assert set(sizes[:-1]) == {PIECE_BYTES}
        assert 0 < sizes[-1] <= PIECE_BYTES
    pieces = SplitReader(whole_file(path), splittable=True)
    next(pieces)
    assert opened() == 1
    pieces.close()
    assert opened() == 0


def test_empty_file(tmp_path):
    path = tmp_path / "input"
    path.touch()
    assert list(SplitReader(whole_file(path), splittable=True)) == []


def test_missing_file(tmp_path):
    gone = FileSplit(str(tmp_path / "gone"), 0, 1, 1, 1, "none")
    with pytest.raises(FileNotFoundError):
        list(SplitReader(gone, splittable=True))


def test_bad_bytes_are_found_in_the_file(tmp_path):
    # Given a bad byte in the second split; Expect that start + offset leads to it.
    path = tmp_path / "input"
    path.write_bytes(b"ab " * 100 + b"\xff" + b" cd" * 100)
    pieces = SplitReader(splits(whole_file(path), 200)[1], splittable=True)
    with pytest.raises(kernel.BadEncoding) as caught:
        kernel.count(pieces, "whitespace")
    assert pieces.start + caught.value.offset == 300


def test_a_split_within_a_long_word_reads_only_its_own_bytes(tmp_path, monkeypatch):
    # Given a file that is one word; Expect a split in it to end where it ends, not with the file.
    path = tmp_path / "input"
    path.touch()
    os.truncate(path, 1 << 30)
    pread, most = os.pread, 0

    def counted(file, n, offset):
        nonlocal most
        most = max(most, offset + n)
        return pread(file, n, offset)

    monkeypatch.setattr(os, "pread", counted)
    assert list(SplitReader(splits(whole_file(path), 1 << 20)[1], splittable=True)) == []
    assert most < 3 << 20


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("change", ["size", "mtime_ns"])
def test_a_file_changed_before_is_refused(tmp_path, compression, change):
    path = tmp_path / "input"
    path.write_bytes(gzip.compress(b"a b") if compression == "gzip" else b"a b")
    now = whole_file(path, compression)
    planned = replace(now, **{change: getattr(now, change) - 1})
    planned = replace(planned, length=planned.size)
    with pytest.raises(InputChanged) as caught:
        list(SplitReader(planned, splittable=True))
    for part in (str(path), str(getattr(planned, change)), str(getattr(now, change))):
        assert part in str(caught.value)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_file_changed_meanwhile_is_refused(tmp_path, compression):
    # Given a reader within a file; If the file is touched; Expect an error at the end.
    path = tmp_path / "input"
    content = os.urandom(2 * PIECE_BYTES) + b" "
    path.write_bytes(gzip.compress(content) if compression == "gzip" else content)
    pieces = SplitReader(whole_file(path, compression), splittable=False)
    next(pieces)
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputChanged, match="mtime 1 ns"):
        list(pieces)


@pytest.mark.parametrize("splittable", [True, False])
def test_a_file_truncated_meanwhile_is_refused(tmp_path, splittable):
    path = tmp_path / "input"
    path.write_bytes(b"word " * 100_000)
    pieces = SplitReader(whole_file(path), splittable=splittable)
    next(pieces)
    os.truncate(path, 10)
    with pytest.raises(InputChanged, match="500000 bytes"):
        list(pieces)


def test_gzip_is_read_whole_members_and_all(tmp_path):
    path = tmp_path / "input"
    content = b"one two " * 50_000
    path.write_bytes(gzip.compress(content) + gzip.compress(b"three"))
    pieces = list(SplitReader(whole_file(path, "gzip"), splittable=True))
    assert b"".join(pieces) == content + b"three"
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert delta.unpack(kernel.count(pieces, "whitespace")) == {
        "one": 50_000,
        "two": 50_000,
        "three": 1,
    }


def damage(data, at):
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-1],
        lambda data: data[:12],
        lambda data: damage(data, 2),
        lambda data: damage(data, len(data) // 2),
        lambda data: damage(data, len(data) - 6),
        lambda data: data + b"trailing",
    ],
)
def test_damaged_gzip_is_named(tmp_path, harm):
    path = tmp_path / "input"
    path.write_bytes(harm(gzip.compress(b"some words to squeeze " * 10)))
    with pytest.raises(BadInput, match=str(path)):
        list(SplitReader(whole_file(path, "gzip"), splittable=True))


COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    # As the command does, and not the function by itself, with a checksum.
    "zstd": partial(zstd.compress, options={zstd.CompressionParameter.checksum_flag: 1}),
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_every_compression_is_told_by_its_first_bytes(tmp_path, kind):
    # Given two streams one behind the other, as `cat` leaves them, and nothing compressed
    content = "words of a file é ".encode() * 9000
    path = tmp_path / "input.txt"
    for text in (content, b""):
        path.write_bytes(COMPRESS[kind](text) + COMPRESS[kind](b"last"))
        [file] = expand(str(path), "whitespace")
        assert (file.compression, file.whole) == (kind, True)
        pieces = SplitReader(whole_file(path, kind), splittable=True)
        # Expect the counts of what is in them, by the serial count, too
        counts = Counter((text + b"last").decode().split())
        assert delta.unpack(kernel.count(pieces, "whitespace")) == counts
        assert count_file(str(path)) == counts


@pytest.mark.parametrize("kind", COMPRESS)
def test_what_is_damaged_is_named(tmp_path, kind):
    good = COMPRESS[kind](os.urandom(1000).hex().encode())
    path = tmp_path / "input"
    for harm in (good[:-1], good[: len(good) // 2], damage(good, len(good) // 2)):
        path.write_bytes(harm)
        with pytest.raises(BadInput, match=f"damaged or truncated {kind}"):
            list(SplitReader(whole_file(path, kind), splittable=True))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 100])
def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path, size):
    path = tmp_path / "input"
    path.write_bytes("\ufeffThe éarth \ufeff and the".encode())
    [file] = expand(str(path), "whitespace")
    assert (file.compression, file.whole) == ("mark", False)
    read = b"".join(
        piece
        for split in splits(whole_file(path, "mark"), size)
        for piece in SplitReader(split, splittable=True)
    )
    assert read == "The éarth \ufeff and the".encode()
    assert count_file(str(path), marked=True) == Counter(read.decode().split())
    # Jobs that an earlier version planned have counted it.
    assert "\ufeffThe" in count_file(str(path))


@pytest.mark.parametrize(("compression", "splittable"), [("gzip", True), ("none", False)])
def test_a_part_of_what_must_be_read_whole_is_refused(tmp_path, compression, splittable):
    part = FileSplit("f", 5, 5, 10, 0, compression)
    with pytest.raises(ValueError, match=r"split \[5, 10\) of a file that must be read whole"):
        SplitReader(part, splittable)
