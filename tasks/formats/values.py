"""JSON values from outside: what may be stored, and their one canonical form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
"""A value as JSON knows it."""

DEPTH_MAX = 20
TEXT_BYTES_MAX = 256 * 1024
NAME_MAX = 100

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def canonical(value: Json) -> bytes:
    """The one way to write a value: UTF-8, sorted keys, no spaces.  Raises ValueError on NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def text_fault(text: str) -> str | None:
    """Why ``text`` cannot be stored, or None."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and _SURROGATE.search(text):
        return "holds half of a surrogate pair"
    if len(text) * 4 > TEXT_BYTES_MAX and len(text.encode()) > TEXT_BYTES_MAX:
        return f"has more than {TEXT_BYTES_MAX} bytes"
    return None


def name_fault(name: str) -> str | None:
    """Why ``name`` cannot name a column, or None."""
    if not name.strip():
        return "has no name"
    if len(name) > NAME_MAX:
        return f"has a name of more than {NAME_MAX} characters"
    if _CONTROL.search(name) or _SURROGATE.search(name):
        return "has a name with control characters"
    return None


def value_fault(value: Json) -> str | None:
    """Why ``value``, at any depth, cannot be stored, or None."""
    for inner, depth in _walk(value):
        if depth > DEPTH_MAX:
            return f"is nested more than {DEPTH_MAX} deep"
        if isinstance(inner, str) and (fault := text_fault(inner)):
            return fault
    return None


def _walk(value: Json) -> Iterator[tuple[Json, int]]:
    """Every value inside ``value``, keys too, with its depth; no recursion, so depth cannot exhaust the stack."""
    stack: list[tuple[Json, int]] = [(value, 1)]
    while stack:
        inner, depth = stack.pop()
        yield inner, depth
        if isinstance(inner, dict):
            stack.extend((part, depth + 1) for part in inner.values())
            yield from ((key, depth) for key in inner)
        elif isinstance(inner, list):
            stack.extend((part, depth + 1) for part in inner)
