from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.csv import neutral, plain, read_csv
from tasks.formats.faults import RowError

HEAD = b"id,text\n"


def test_each_row_comes_by_column_with_its_number() -> None:
    data = b'\xef\xbb\xbfid, text \r\n1,"a, ""b"""\r\n\r\n,\r\n2,"two\nlines"\r\n3,\xc3\xa9'

    assert list(read_csv([data])) == [
        (2, {"id": "1", "text": 'a, "b"'}),
        (5, {"id": "2", "text": "two\nlines"}),
        (6, {"id": "3", "text": "é"}),
    ]


def test_portions_and_gzip_change_nothing() -> None:
    data = HEAD + b'1,"a\r\nb"\n2,c\n'
    whole = list(read_csv([data]))

    assert whole == [(2, {"id": "1", "text": "a\r\nb"}), (3, {"id": "2", "text": "c"})]
    assert list(read_csv(data[n : n + 1] for n in range(len(data)))) == whole
    assert list(read_csv([gzip.compress(data)])) == whole


@pytest.mark.parametrize(
    ("data", "row", "column", "message"),
    [
        (b"", 1, None, "the file is empty"),
        (b"\n\n", 1, None, "the file is empty"),
        (b"id,id\n1,2\n", 1, "id", "there twice"),
        (b"id,\n1,2\n", 1, "", "has no name"),
        (b"id,a\x01b\n1,2\n", 1, "a\x01b", "control characters"),
        (b"id," + b"x" * 101 + b"\n", 1, "x" * 101, "more than 100 characters"),
        (",".join(f"c{n}" for n in range(201)).encode(), 1, None, "201 columns"),
        (",".join(f"c{n}" for n in range(10_000)).encode(), 1, None, "10000 columns"),
        (HEAD + b"1,a\n2\n", 3, None, "has 1 cells where the header names 2"),
        (HEAD + b"1,a\n2,b,c\n", 3, None, "has 3 cells"),
        (HEAD + b"1,a\n2,caf\xe9\n", 3, "text", "byte 6 of the line is not UTF-8"),
        (HEAD + b"1,a\ncaf\xe9,2\n", 3, "id", "byte 4 of the line is not UTF-8"),
        (b"id,caf\xe9\n", 1, None, "byte 7 of the line is not UTF-8"),
        ("id,text\n1,a\n".encode("utf-16"), 1, None, "not UTF-8"),
        (HEAD + b"1,a\n2,b\0c\n", 3, "text", "NUL"),
        (HEAD + b'1,a\n2,"b"c\n', 3, None, "quotes are broken"),
        (HEAD + b'1,a\n2,"b\n', 3, None, "quotes are broken"),
        (HEAD + b'1,a\n2,"' + b"line\n" * 300_000, 3, None, "more than 262144 bytes"),
        (HEAD + b'1,"' + b'x","'.join([b"y\n" * 50_000] * 12), 2, None, "more than 1048576 bytes"),
        (HEAD + b"1," + b"x" * (256 * 1024 + 1), 2, None, "more than 262144 bytes"),
        (HEAD + b"1," + "é".encode() * (128 * 1024 + 1), 2, "text", "more than 262144 bytes"),
        (HEAD + b"1," + b"x" * (1024 * 1024), 2, None, "more than 1048576 bytes"),
        (b"id,text\r1,a\r2,b\r", 1, None, "bare carriage return"),
        (b"PK\x03\x04", 1, None, "workbook"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_row(
    data: bytes, row: int, column: str | None, message: str
) -> None:
    with pytest.raises(RowError, match=message) as refusal:
        list(read_csv([data]))

    assert (refusal.value.row, refusal.value.column) == (row, column)
    assert refusal.value.remedy
    assert len(str(refusal.value).encode()) < 600


def test_a_required_column_that_is_missing_is_refused_with_those_found() -> None:
    with pytest.raises(RowError, match="row 1, column 'text': the column is missing; add it; found only 'id;text'"):
        list(read_csv([b"id;text\n1;a\n"], required=["text"]))


def test_a_cell_of_exactly_the_limit_is_read() -> None:
    rows = list(read_csv([HEAD + b"1," + b"x" * (256 * 1024)]))

    assert len(rows[0][1]["text"]) == 256 * 1024


def test_gzip_cut_short_names_the_row_that_was_reached() -> None:
    data = gzip.compress(HEAD + b"".join(f"{n},{n * 7919 % 10007}\n".encode() for n in range(20_000)))
    seen: list[int] = []

    with pytest.raises(RowError, match="ends too early") as refusal:
        seen.extend(row for row, _ in read_csv([data[: len(data) // 2]]))

    assert refusal.value.row == seen[-1] + 1 > 100


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_row_error(data: bytes) -> None:
    try:
        list(read_csv([data]))
    except RowError as refusal:
        str(refusal).encode()


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(cells, cells, st.just("x")), max_size=6))
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str, str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])

    assert [tuple(row.values()) for _, row in read_csv([text.getvalue().encode()])] == rows


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'"])
def test_a_cell_that_a_spreadsheet_could_run_is_neutralised_and_read_back(start: str) -> None:
    cell = f"{start}cmd|' /C calc'!A0"

    assert neutral(cell) == "'" + cell
    assert plain(neutral(cell)) == cell


@given(cells)
def test_neutralising_is_undone_exactly(cell: str) -> None:
    assert plain(neutral(cell)) == cell
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
