from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.faults import RowError
from tasks.formats.jsonl import read_jsonl
from tasks.formats.values import Json

GOOD = b'{"text": "first"}\n'


def test_each_object_comes_with_its_line() -> None:
    data = b'{"text": "a", "n": 1}\n\n   \r\n{"text": "b", "deep": {"x": [1.5, null, true]}}'

    assert list(read_jsonl([data])) == [
        (1, {"text": "a", "n": 1}),
        (4, {"text": "b", "deep": {"x": [1.5, None, True]}}),
    ]


def test_a_byte_order_mark_and_carriage_returns_do_no_harm() -> None:
    assert list(read_jsonl([b"\xef\xbb\xbf" + b'{"a": "\xc3\xa9"}\r\n'])) == [(1, {"a": "é"})]


def test_an_empty_file_has_no_rows() -> None:
    assert list(read_jsonl([b"\n\n"])) == []


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        (b"{", None, "is not JSON"),
        (b"text", None, "is not JSON"),
        (b'{"a": 1} {"a": 2}', None, "is not JSON: Extra data at character 10"),
        (b'{"a": "x\x00"}', None, "is not JSON"),
        (b"[1]", None, "is a list and not an object"),
        (b'"x"', None, "is a string"),
        (b"null", None, "is null"),
        (b"true", None, "is true or false"),
        (b"7", None, "is a number"),
        (b'{"a": "caf\xe9"}', None, "byte 11 is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', None, "is not UTF-8"),
        (b'{"a": 1, "a": 2}', "a", "written twice"),
        (b'{"b": {"a": 1, "a": 2}}', "a", "written twice"),
        (b'{"a": NaN}', None, "NaN is not JSON"),
        (b'{"a": -Infinity}', None, "-Infinity is not JSON"),
        (b'{"a": 1e400}', None, "too large"),
        (b'{"a": 9223372036854775808}', None, "more than 64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", None, "more than 64 bits"),
        (b'{"a": "\\u0000"}', "a", "NUL"),
        (b'{"a": {"b\\u0000": 1}}', "a", "NUL"),
        (b'{"a": ["\\ud800"]}', "a", "surrogate"),
        (b'{"\\ud800": 1}', "\ud800", "control characters"),
        (b'{"": 1}', "", "has no name"),
        (b'{"' + b"k" * 101 + b'": 1}', "k" * 101, "more than 100 characters"),
        (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", None, ""),
        (b'{"a": ' + b"[" * 21 + b"]" * 21 + b"}", "a", "nested more than 20"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", None, "nested more than 20"),
        (b'{"a": "' + b"x" * (256 * 1024 + 1) + b'"}', "a", "more than 262144 bytes"),
        (b'{"a": "' + b"x" * (1024 * 1024) + b'"}', None, "more than 1048576 bytes"),
        (json.dumps({f"k{n}": n for n in range(201)}).encode(), None, "201 columns"),
        (b"\xff\xfe{\x00}\x00", None, "not UTF-8"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_number(line: bytes, column: str | None, message: str) -> None:
    rows = read_jsonl([GOOD + line + b"\n"])

    assert next(rows)[0] == 1
    if not message:
        assert next(rows)[0] == 2
        return
    with pytest.raises(RowError, match=message) as refusal:
        next(rows)
    assert refusal.value.row == 2
    assert refusal.value.column == column
    assert refusal.value.remedy
    assert len(str(refusal.value).encode()) < 600


def test_a_required_key_that_is_missing_is_refused() -> None:
    with pytest.raises(RowError, match="row 2, column 'text': the column is missing; add it; found only 'txt'"):
        list(read_jsonl([GOOD + b'{"txt": 1}'], required=["text"]))


def test_gzip_cut_short_names_the_row_that_was_reached() -> None:
    data = gzip.compress(b"".join(json.dumps({"text": f"{n * 7919 % 10007}"}).encode() + b"\n" for n in range(5000)))
    seen: list[int] = []

    with pytest.raises(RowError, match="ends too early") as refusal:
        seen.extend(row for row, _ in read_jsonl([data[: len(data) // 2]]))

    assert refusal.value.row == seen[-1] + 1 > 100


def test_a_bomb_names_the_row_that_was_reached() -> None:
    with pytest.raises(RowError, match="more than 1000 bytes") as refusal:
        list(read_jsonl([gzip.compress(GOOD * 1000)], total_bytes_max=1000))

    assert refusal.value.row >= 1


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_row_error(data: bytes) -> None:
    try:
        list(read_jsonl([data]))
    except RowError as refusal:
        str(refusal).encode()


keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8).filter(str.strip)
plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
leaves = (
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    leaves | plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3), max_leaves=6
)


@given(st.lists(st.dictionaries(keys, values, min_size=1, max_size=4), max_size=5))
def test_what_json_can_say_is_read_back(rows: list[dict[str, Json]]) -> None:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()

    assert [row for _, row in read_jsonl([data])] == rows
