"""Reading CSV: comma-separated, a header, quotes doubled inside quotes (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from tasks.formats.columns import check_columns
from tasks.formats.faults import RowError, StreamFault
from tasks.formats.streams import ROW_BYTES_MAX, TOTAL_BYTES_MAX, lines, unzipped
from tasks.formats.values import TEXT_BYTES_MAX, text_fault

MEDIA_TYPE = "text/csv"

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet may take for the start of a formula."""

_BOM = b"\xef\xbb\xbf"


def neutral(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet could run it; `plain` takes it away again."""
    return "'" + cell if cell.startswith((*FORMULA_STARTS, "'")) else cell


def plain(cell: str) -> str:
    """What `neutral` was given."""
    return cell.removeprefix("'")


def read_csv(
    chunks: Iterable[bytes],
    *,
    required: Iterable[str] = (),
    total_bytes_max: int = TOTAL_BYTES_MAX,
    neutralised: bool = False,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row after the header as column name to text, with its number; the header is row 1, blank rows are passed over.

    ``chunks`` are the bytes of the file in any portions, plain or gzip.  Memory stays bounded by the largest row.
    ``neutralised`` reads our own exports back: the apostrophe that `neutral` put before a cell is taken away.
    Raises RowError on the first row that is not UTF-8, has more or fewer cells than the header, a NUL, a cell or row
    that is too large, or broken quotes; and on a header that is missing, too wide, names a column twice or not at all,
    or lacks a ``required`` one.  A fault of the stream itself (see `unzipped`) names the row that was reached.
    """
    # The csv module has one limit for the whole process and a default below ours; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), TEXT_BYTES_MAX))
    source = _Source(unzipped(chunks, total_bytes_max=total_bytes_max))
    records = csv.reader(source, strict=True)
    header: tuple[str, ...] = ()
    while (cells := _next(records, source)) is not None:
        if neutralised:
            cells = [plain(cell) for cell in cells]
        if not any(cells):
            continue
        if not header:
            header = source.header = tuple(name.strip() for name in cells)
            check_columns(source.row, header, tuple(required), "remove some columns, or separate the cells by commas")
            continue
        yield source.row, _row(source.row, header, cells)
    if not header:
        raise RowError(1, None, "the file is empty", "begin with a header row that names the columns")


def _next(records: Iterator[list[str]], source: _Source) -> list[str] | None:
    """The next record, or None; every fault on the way becomes a RowError of the record under way."""
    source.begin_row()
    try:
        return next(records, None)
    except StreamFault as fault:
        raise RowError(source.row, None, fault.message, fault.remedy) from None
    except csv.Error as fault:
        message = str(fault)
        if "field limit" in message:
            remedy = "put large content in a file and send its address"
            raise RowError(source.row, None, f"a cell has more than {TEXT_BYTES_MAX} bytes", remedy) from None
        if "new-line" in message:
            remedy = "end rows with a line feed, and put cells with line breaks in quotes"
            raise RowError(source.row, None, "a cell holds a bare carriage return", remedy) from None
        remedy = 'put a cell with quotes in quotes and double those inside: "a ""b"" c"'
        raise RowError(source.row, None, "the quotes are broken", remedy) from None


def _row(row: int, header: tuple[str, ...], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(header):
        message = f"has {len(cells)} cells where the header names {len(header)} columns"
        raise RowError(row, None, message, "put cells with commas in quotes, and keep empty cells")
    found = dict(zip(header, cells, strict=True))
    for name, cell in found.items():
        if fault := text_fault(cell):
            raise RowError(row, name, fault, "remove it, or put large content in a file and send its address")
    return found


class _Source:
    """The lines that feed the csv reader, decoded, with the number and the size of the row under way."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.row = 0
        self.header: tuple[str, ...] = ()
        self._lines = lines(pieces)
        self._first = True
        self._size = 0

    def begin_row(self) -> None:
        self.row += 1
        self._size = 0

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        self._size += len(line) + 1
        if self._size > ROW_BYTES_MAX:
            raise StreamFault(f"the row has more than {ROW_BYTES_MAX} bytes", "look for a quote that is not closed")
        try:
            return line.decode("utf-8") + "\n"
        except UnicodeDecodeError as fault:
            alone = self._size == len(line) + 1
            column = self._column(line[: fault.start]) if alone else None
            message = f"byte {fault.start + 1} of the line is not UTF-8"
            raise RowError(self.row, column, message, "save the file as UTF-8") from None

    def _column(self, before: bytes) -> str | None:
        """The column in which a row that lies on one line stops after ``before``; None in the header."""
        cells = next(csv.reader([before.decode("utf-8")]), [""])
        return self.header[len(cells) - 1] if 0 < len(cells) <= len(self.header) else None
