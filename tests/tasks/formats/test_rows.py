from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.formats.faults import RowError
from tasks.formats.rows import parse_row
from tasks.formats.values import Json


def test_a_csv_row_becomes_a_task() -> None:
    row = parse_row(
        7,
        {
            "external_ref": "x-1",
            "difficulty": "3",
            "price": "0.05",
            "stratum": "north",
            "expires_at": "2030-01-31T12:00:00+02:00",
            "gold": "cat",
            "gold_explanation": "Whiskers.",
            "text": "What is it?",
            "payload.price": "9.99",
        },
    )

    assert row.row == 7
    assert row.external_ref == "x-1"
    assert row.payload == {"text": "What is it?", "price": "9.99"}
    assert row.difficulty == 3
    assert row.price_micros == 50_000
    assert row.stratum == "north"
    assert row.expires_at == datetime(2030, 1, 31, 10, tzinfo=UTC)
    assert (row.gold, row.gold_explanation) == ("cat", "Whiskers.")
    assert row.content == b'{"price":"9.99","text":"What is it?"}'
    assert row.content_hash == hashlib.sha256(row.content).digest()


def test_empty_cells_mean_the_jobs_own() -> None:
    raw: dict[str, Json] = dict.fromkeys(
        ["external_ref", "difficulty", "price", "stratum", "expires_at", "gold", "priority"], ""
    )

    row = parse_row(2, raw | {"text": "a"})

    assert (row.external_ref, row.difficulty, row.price_micros, row.stratum) == (None, None, None, "")
    assert (row.expires_at, row.gold) == (None, None)


def test_a_json_row_may_hold_its_payload_whole() -> None:
    row = parse_row(1, {"payload": {"text": "a", "gold": 1}, "difficulty": 5, "external_ref": 12})

    assert row.payload == {"text": "a", "gold": 1}
    assert (row.difficulty, row.external_ref, row.gold) == (5, "12", None)


def test_the_order_of_keys_does_not_move_the_hash() -> None:
    one, two = parse_row(1, {"a": "1", "b": "2"}), parse_row(2, {"b": "2", "a": "1"})

    assert one.content_hash == two.content_hash
    assert one.content_hash != parse_row(3, {"a": "1", "b": "3"}).content_hash


@pytest.mark.parametrize(
    ("raw", "column", "message"),
    [
        ({}, None, "nothing for the worker to see"),
        ({"external_ref": "x"}, None, "nothing for the worker to see"),
        ({"text": "", "image": None}, None, "nothing for the worker to see"),
        ({"payload": {}}, None, "nothing for the worker to see"),
        ({"payload": "text"}, "payload", "not an object"),
        ({"payload": {"a": 1}, "text": "b"}, "text", "beside the payload"),
        ({"text": "a", "payload.text": "b"}, "payload.text", "already"),
        ({"text": "a", "payload.": "b"}, "payload.", "has no name"),
        ({"text": "a", "priority": "9"}, "priority", "no priority"),
        ({"text": "a", "difficulty": "0"}, "difficulty", "not a difficulty"),
        ({"text": "a", "difficulty": "6"}, "difficulty", "not a difficulty"),
        ({"text": "a", "difficulty": "hard"}, "difficulty", "not a difficulty"),
        ({"text": "a", "difficulty": True}, "difficulty", "not a difficulty"),
        ({"text": "a", "difficulty": 2.0}, "difficulty", "not a difficulty"),
        ({"text": "a", "difficulty": "٣"}, "difficulty", "not a difficulty"),
        ({"text": "a", "price": "1e3"}, "price", "digits"),
        ({"text": "a", "price": "-1"}, "price", "negative"),
        ({"text": "a", "price": 0.05}, "price", "not float"),
        ({"text": "a", "price": True}, "price", "not bool"),
        ({"text": "a", "expires_at": "tomorrow"}, "expires_at", "not a time"),
        ({"text": "a", "expires_at": "2030-01-31"}, "expires_at", "not a time"),
        ({"text": "a", "expires_at": "2030-01-31T12:00:00"}, "expires_at", "not a time"),
        ({"text": "a", "expires_at": "2030-02-31T12:00:00Z"}, "expires_at", "not a time"),
        ({"text": "a", "expires_at": "9999-12-31T23:00:00-12:00"}, "expires_at", "not a time"),
        ({"text": "a", "expires_at": 1_900_000_000}, "expires_at", "not a time"),
        ({"text": "a", "external_ref": "x" * 201}, "external_ref", "more than 200"),
        ({"text": "a", "external_ref": ["x"]}, "external_ref", "not text"),
        ({"text": "a", "external_ref": False}, "external_ref", "not text"),
        ({"text": "a", "stratum": "x" * 65}, "stratum", "more than 64"),
        ({"a": "x" * 200_000, "b": "x" * 200_000, "c": "x" * 200_000}, None, "more than 524288 bytes"),
    ],
)
def test_a_row_that_cannot_be_a_task_is_refused_by_column(
    raw: dict[str, Json], column: str | None, message: str
) -> None:
    with pytest.raises(RowError, match=message) as refusal:
        parse_row(9, raw)

    assert (refusal.value.row, refusal.value.column) == (9, column)
    assert refusal.value.remedy


def test_a_price_is_read_in_the_jobs_currency() -> None:
    assert parse_row(1, {"text": "a", "price": "5"}, currency="JPY").price_micros == 5_000_000


values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)


@given(st.dictionaries(st.sampled_from(["text", "price", "difficulty", "expires_at", "external_ref", "gold"]), values))
def test_any_row_is_a_task_or_a_row_error(raw: dict[str, Json]) -> None:
    try:
        row = parse_row(1, raw)
    except RowError as refusal:
        str(refusal).encode("utf-8", "backslashreplace")
    else:
        assert set(row.payload) == {"text"}
