"""From chunks of bytes to lines of bytes, unzipped, in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from tasks.formats.faults import StreamFault

PIECE = 64 * 1024
"""Most bytes handed on at a time, whatever the size of the chunks."""

TOTAL_BYTES_MAX = 2 * 1024**3
"""Most bytes of a file after unzipping, unless the caller says otherwise."""

ROW_BYTES_MAX = 1024 * 1024

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


def unzipped(chunks: Iterable[bytes], *, total_bytes_max: int = TOTAL_BYTES_MAX) -> Iterator[bytes]:
    """The same bytes in small pieces, without gzip if they begin like it.

    Raises StreamFault on gzip that is cut short or damaged, on a ZIP archive, and beyond ``total_bytes_max`` bytes
    after unzipping, so a small file that unfolds into a large one is stopped on its way.
    """
    pieces = _pieces(chunks)
    first = b""
    while len(first) < len(_ZIP) and (piece := next(pieces, None)) is not None:
        first += piece
    if first.startswith(_ZIP):
        raise StreamFault("this is a ZIP archive or a workbook", "send CSV or JSON lines, plain or with gzip")
    plain = _gunzipped(first, pieces) if first.startswith(_GZIP) else _joined(first, pieces)
    total = 0
    for piece in plain:
        total += len(piece)
        if total > total_bytes_max:
            raise StreamFault(f"the file has more than {total_bytes_max} bytes", "send it in several parts")
        yield piece


def lines(pieces: Iterable[bytes], *, line_bytes_max: int = ROW_BYTES_MAX) -> Iterator[bytes]:
    """The lines without their line feed; raises StreamFault on a line of more than ``line_bytes_max`` bytes."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        whole: list[bytes] = []
        if b"\n" in piece:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
        for line in whole:
            _check_length(line, line_bytes_max)
            yield line
        _check_length(rest, line_bytes_max)
    if rest:
        yield bytes(rest)


def _check_length(line: bytes | bytearray, line_bytes_max: int) -> None:
    if len(line) > line_bytes_max:
        raise StreamFault(
            f"the row has more than {line_bytes_max} bytes", "put large content in a file and send its address"
        )


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE):
            yield bytes(chunk[start : start + PIECE])


def _joined(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from pieces


def _gunzipped(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unzip one gzip member after the other, at most `PIECE` bytes at a time."""
    member = zlib.decompressobj(wbits=31)
    for piece in _joined(first, pieces):
        data = piece
        while data:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            try:
                out = member.decompress(data, PIECE)
            except zlib.error:
                raise StreamFault("the gzip data is damaged", "compress the file again") from None
            if out:
                yield out
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise StreamFault("the gzip data ends too early", "send the whole file again")
