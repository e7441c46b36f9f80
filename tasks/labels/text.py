"""What is wrong with a text, in words; shared by label schemas and imports."""

from __future__ import annotations

import re

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
"""A value as JSON knows it."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAK = re.compile("[\t\n]")
_OVERRIDE = re.compile("[\u202a-\u202e]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encoding_fault(text: str) -> str | None:
    """Why PostgreSQL could not store ``text``: a NUL or half a surrogate pair; None when it could."""
    if "\0" in text:
        return "holds a NUL character"
    if not text.isascii() and _SURROGATE.search(text):
        return "holds half of a surrogate pair (U+D800 to U+DFFF)"
    return None


def text_fault(text: str, *, least: int, most: int, lines: bool) -> str | None:
    """Why ``text`` may not be shown to people, or None.

    It must have ``least`` to ``most`` characters besides outer space, no control characters (tabs and line breaks only
    where ``lines``), and nothing that turns the writing direction around.
    """
    if fault := encoding_fault(text):
        return fault
    if len(text) > most:
        return f"has {len(text)} characters; at most {most} are allowed"
    if len(text.strip()) < least:
        return "is empty" if not text.strip() else f"has fewer than {least} characters"
    if found := _CONTROL.search(text) or (None if lines else _BREAK.search(text)):
        return f"holds the control character U+{ord(found.group()):04X}"
    if found := _OVERRIDE.search(text):
        return f"holds the direction override U+{ord(found.group()):04X}"
    return None
