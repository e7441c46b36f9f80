from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.faults import StreamFault
from tasks.formats.streams import lines, unzipped

TEXT = b"one\ntwo\n\nthree"


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT), gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:])])
def test_plain_and_gzip_read_alike_in_any_portions(data: bytes, size: int) -> None:
    assert list(lines(unzipped(cut(data, size)))) == [b"one", b"two", b"", b"three"]


@given(
    st.binary(max_size=300).filter(lambda data: not data.startswith((b"\x1f\x8b", b"PK\x03\x04"))), st.integers(1, 50)
)
def test_nothing_is_lost_between_pieces(data: bytes, size: int) -> None:
    found = list(lines(unzipped(cut(data, size))))

    assert b"\n".join(found) == (data[:-1] if data.endswith(b"\n") else data)


@pytest.mark.parametrize("cut_off", [1, 8, 12])
def test_gzip_cut_short_is_refused(cut_off: int) -> None:
    with pytest.raises(StreamFault, match="ends too early"):
        list(unzipped([gzip.compress(TEXT * 100)[:-cut_off]]))


def test_damaged_gzip_is_refused() -> None:
    data = bytearray(gzip.compress(TEXT * 100))
    data[20] ^= 0xFF

    with pytest.raises(StreamFault, match="damaged"):
        list(unzipped([bytes(data)]))


def test_bytes_after_the_end_of_gzip_are_refused() -> None:
    with pytest.raises(StreamFault, match="damaged"):
        list(unzipped([gzip.compress(TEXT) + b"and more"]))


def test_a_workbook_is_refused_with_what_to_send() -> None:
    with pytest.raises(StreamFault, match="send CSV or JSON lines"):
        list(unzipped([b"PK\x03\x04 and so on"]))


def test_a_bomb_is_stopped_on_its_way_in_little_memory() -> None:
    bomb = gzip.compress(b"0\n" * 50_000_000, compresslevel=6)
    assert len(bomb) < 200_000
    tracemalloc.start()

    with pytest.raises(StreamFault, match="more than 10000000 bytes"):
        for _ in lines(unzipped([bomb], total_bytes_max=10_000_000)):
            pass

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("data", [b"x" * 101, b"x" * 101 + b"\n", b"ok\n" + b"x" * 500 + b"\nok\n"])
def test_a_line_too_long_is_refused(data: bytes) -> None:
    with pytest.raises(StreamFault, match="more than 100 bytes"):
        list(lines(cut(data, 30), line_bytes_max=100))


def test_a_line_without_end_is_stopped_before_it_is_held() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    with pytest.raises(StreamFault, match="row has more than"):
        next(lines(endless()))


def test_an_empty_file_has_no_lines() -> None:
    assert list(lines(unzipped([]))) == []
    assert list(lines(unzipped([b"", b""]))) == []
