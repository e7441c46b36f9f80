"""How a task's payload is laid out on the page. Nothing of it is ever trusted: text stays text, and only pictures load.

A payload is any JSON. Strings under the names people use for text are shown as text, pictures as pictures, and
whatever else there is as a list of names and values, so that no shape of payload leaves a worker with nothing to see.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

TEXT_NAMES = frozenset(
    {
        "text", "sentence", "passage", "paragraph", "document", "content", "body", "question", "prompt", "query",
        "premise", "hypothesis", "statement", "title", "tweet", "review", "comment", "message", "answer", "response",
        "context",
    }
)  # fmt: skip
TEXT_LENGTH = 120
"""A string longer than this is read as text whatever its name is."""

_PICTURE_NAME = re.compile(r"image|img|photo|picture|scan|thumbnail", re.IGNORECASE)
_PICTURE_DATA = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=\s]+", re.ASCII)
_PICTURE_FILE = re.compile(r"\.(?:png|jpe?g|gif|webp|avif)(?:[?#]|$)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https://[^/\s\"'<>\\]|/(?![/\\]))[^\s\"'<>\\]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """One block on the page: ``text``, ``picture`` (``value`` is its address), or ``fact`` (a name and a short value)."""

    kind: Literal["text", "picture", "fact"]
    name: str
    value: str


def parts(payload: Any) -> list[Part]:
    """The blocks of a payload in the order to be shown: text and pictures as they come, facts after them."""
    if not isinstance(payload, dict):
        payload = {"": payload}
    found = list(_parts(payload))
    shown = [part for part in found if part.kind != "fact"]
    if len(shown) == 1:  # a lone text or picture needs no heading
        shown = [Part(shown[0].kind, "", shown[0].value)]
    return shown + [part for part in found if part.kind == "fact"]


def _parts(payload: dict[str, Any]) -> Iterator[Part]:
    for key, value in payload.items():
        name = str(key).replace("_", " ").strip()
        if isinstance(value, str) and _is_picture(str(key), value):
            yield Part("picture", name, value)
        elif isinstance(value, str) and (not key or key.lower() in TEXT_NAMES or len(value) > TEXT_LENGTH):
            yield Part("text", name, value)
        else:
            yield Part("fact", name or "value", _shown(value))


def _is_picture(key: str, value: str) -> bool:
    if _PICTURE_DATA.fullmatch(value):
        return True
    return bool(_ADDRESS.fullmatch(value) and (_PICTURE_NAME.search(key) or _PICTURE_FILE.search(value)))


def _shown(value: Any) -> str:
    """A value as a person reads it: nested ones as indented JSON, true and false as yes and no."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return ", ".join(str(item) for item in value)
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
