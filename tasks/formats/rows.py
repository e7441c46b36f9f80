"""From a row of an import to a task that can be added."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from accounts.ledger import money
from tasks.formats.faults import RowError, shown
from tasks.formats.values import Json, canonical, name_fault

RESERVED = (
    "external_ref",
    "difficulty",
    "price",
    "stratum",
    "expires_at",
    "gold",
    "gold_explanation",
    "priority",
    "payload",
)
"""Columns that say something about the task.  Every other column is part of what the worker sees."""

PREFIX = "payload."
EXTERNAL_REF_MAX = 200
STRATUM_MAX = 64
EXPLANATION_MAX = 4000
PAYLOAD_BYTES_MAX = 512 * 1024

_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of an import.

    ``row`` is its number in the file; ``payload`` what the worker sees, ``content`` the same as canonical JSON and
    ``content_hash`` its SHA-256.  ``difficulty``, ``price_micros`` and ``expires_at`` (UTC) are None where the job's
    own are meant, ``external_ref`` where the requester gave none.  ``gold`` is the known label as it was written (a
    class name or a label object), None for a plain task.
    """

    row: int
    external_ref: str | None
    payload: dict[str, Json]
    difficulty: int | None
    price_micros: int | None
    stratum: str
    expires_at: datetime | None
    content: bytes
    content_hash: bytes
    gold: Json = None
    gold_explanation: str = ""


def parse_row(row: int, raw: Mapping[str, Json], *, currency: str = "USD") -> TaskRow:
    """Read one row as `read_csv` or `read_jsonl` gave it.

    Reserved columns are taken out; the others are the payload, with or without the prefix ``payload.``, which lets a
    payload have a field with a reserved name.  In JSON the payload may also be one object under ``payload``, and then
    every other key must be a reserved one.  Empty reserved cells count as absent.  ``price`` is a decimal string in
    ``currency``; ``difficulty`` 1 to 5; ``expires_at`` ISO 8601 with a time zone.  Raises RowError.
    """
    payload = _payload(row, raw)
    content = canonical(payload)
    if len(content) > PAYLOAD_BYTES_MAX:
        message = f"the payload has more than {PAYLOAD_BYTES_MAX} bytes"
        raise RowError(row, None, message, "put large content in a file and send its address")
    if raw.get("priority") not in (None, ""):
        remedy = "set the priority of the batch, or call the column payload.priority"
        raise RowError(row, "priority", "a single task has no priority", remedy)
    gold = raw.get("gold")
    return TaskRow(
        row=row,
        external_ref=_text(row, raw, "external_ref", EXTERNAL_REF_MAX) or None,
        payload=payload,
        difficulty=_difficulty(row, raw.get("difficulty")),
        price_micros=_price(row, raw.get("price"), currency),
        stratum=_text(row, raw, "stratum", STRATUM_MAX),
        expires_at=_expires_at(row, raw.get("expires_at")),
        content=content,
        content_hash=hashlib.sha256(content).digest(),
        gold=None if gold == "" else gold,
        gold_explanation=_text(row, raw, "gold_explanation", EXPLANATION_MAX),
    )


def _payload(row: int, raw: Mapping[str, Json]) -> dict[str, Json]:
    whole = raw.get("payload")
    if isinstance(whole, str) and not whole:
        whole = None
    if whole is not None and not isinstance(whole, dict):
        remedy = "send an object, or one column a field: payload.text"
        raise RowError(row, "payload", "the payload is not an object", remedy)
    payload = dict(whole or {})
    for name, value in raw.items():
        if name in RESERVED:
            continue
        if whole is not None:
            raise RowError(row, name, "stands beside the payload but is not a known column", "move it into the payload")
        field = name.removeprefix(PREFIX)
        if fault := name_fault(field):
            raise RowError(row, name, f"the field {fault}", "name it after the prefix: payload.text")
        if field in payload:
            raise RowError(
                row, name, f"the payload has a field {shown(field)} already", "rename one of the two columns"
            )
        payload[field] = value
    if all(value is None or value == "" for value in payload.values()):
        raise RowError(row, None, "there is nothing for the worker to see", "fill at least one payload column")
    return payload


def _text(row: int, raw: Mapping[str, Json], column: str, most: int) -> str:
    value = raw.get(column)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowError(row, column, "is not text", "send a string")
    if len(value) > most:
        raise RowError(row, column, f"has more than {most} characters", "shorten it")
    return value.strip()


def _difficulty(row: int, value: Json) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch("[1-5]", value.strip()):
        return int(value)
    if type(value) is int and 1 <= value <= 5:
        return value
    raise RowError(row, "difficulty", f"{shown(str(value))} is not a difficulty", "send 1 (routine) to 5 (hard)")


def _price(row: int, value: Json, currency: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        return money.parse(cast("str", value), currency).micros
    except ValueError as fault:
        raise RowError(row, "price", str(fault), f"send an amount of {currency} as a string") from None


def _expires_at(row: int, value: Json) -> datetime | None:
    if value is None or value == "":
        return None
    remedy = "send a time with its zone, such as 2030-01-31T12:00:00Z"
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise RowError(row, "expires_at", f"{shown(str(value))} is not a time", remedy)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowError(row, "expires_at", f"{shown(value)} is not a time", remedy) from None
