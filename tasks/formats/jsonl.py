"""Reading JSON lines: one object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import NoReturn

from tasks.formats.columns import check_columns
from tasks.formats.faults import RowError, StreamFault, shown
from tasks.formats.streams import TOTAL_BYTES_MAX, lines, unzipped
from tasks.formats.values import DEPTH_MAX, Json, value_fault

MEDIA_TYPE = "application/x-ndjson"

_INT_MAX = 2**63 - 1
_BOM = b"\xef\xbb\xbf"


def read_jsonl(
    chunks: Iterable[bytes], *, required: Iterable[str] = (), total_bytes_max: int = TOTAL_BYTES_MAX
) -> Iterator[tuple[int, dict[str, Json]]]:
    """Each object with the number of its line; blank lines are passed over.

    ``chunks`` are the bytes of the file in any portions, plain or gzip.  Memory stays bounded by the largest row.
    Raises RowError on the first row that is not UTF-8, not one JSON object, repeats a key, lacks a ``required`` one,
    is too large, too deep or too wide, or holds NaN, infinity, a NUL, half a surrogate pair or an integer beyond 64
    bits.  A fault of the stream itself (see `unzipped`) names the row that was reached.
    """
    wanted = tuple(required)
    row = 0
    try:
        for line in lines(unzipped(chunks, total_bytes_max=total_bytes_max)):
            row += 1
            text = _decoded(row, line.removeprefix(_BOM) if row == 1 else line)
            if text:
                yield row, _object(row, text, wanted)
    except StreamFault as fault:
        raise RowError(row + 1, None, fault.message, fault.remedy) from None


class _Refused(Exception):
    """Raised by the hooks of the parser, which know no row."""

    def __init__(self, message: str, remedy: str, column: str | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy, self.column = message, remedy, column


def _decoded(row: int, line: bytes) -> str:
    try:
        return line.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError as fault:
        raise RowError(row, None, f"byte {fault.start + 1} is not UTF-8", "save the file as UTF-8") from None


def _object(row: int, text: str, required: tuple[str, ...]) -> dict[str, Json]:
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as fault:
        message = f"is not JSON: {fault.msg} at character {fault.pos + 1}"
        raise RowError(row, None, message, "write one JSON object a line") from None
    except _Refused as refused:
        raise RowError(row, refused.column, refused.message, refused.remedy) from None
    except RecursionError:
        raise RowError(row, None, f"is nested more than {DEPTH_MAX} deep", "flatten it") from None
    if not isinstance(value, dict):
        raise RowError(row, None, f"is {_kind(value)} and not an object", "write one JSON object a line")
    check_columns(row, tuple(value), required, "remove or shorten some keys")
    for name, part in value.items():
        if wrong := value_fault(part):
            raise RowError(row, name, wrong, f"send plain text and at most {DEPTH_MAX} levels")
    return value


def _unrepeated(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f"the key {shown(key)} is written twice", "keep one of them", key)
        found[key] = value
    return found


def _whole(digits: str) -> int:
    if len(digits) > 20 or not -_INT_MAX <= (number := int(digits)) <= _INT_MAX:
        raise _Refused("an integer has more than 64 bits", "send it as a string")
    return number


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise _Refused("a number is too large", "send it as a string")
    return number


def _no_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON", "send null or a string")


def _kind(value: Json) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return "null" if value is None else kinds[type(value)]


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unrepeated, parse_int=_whole, parse_float=_finite, parse_constant=_no_constant
)
