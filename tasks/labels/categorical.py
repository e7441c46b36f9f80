"""Categorical labels: one class out of a list."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from tasks.labels.faults import LabelInvalid, SchemaInvalid
from tasks.labels.text import Json, text_fault

CLASSES_MAX = 1000
NAME_MAX = 64
TITLE_MAX = 200
DESCRIPTION_MAX = 2000
QUESTION_MAX = 2000
DEFINITION_BYTES_MAX = 256 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class Categorical:
    """One class out of 2 to 1000.

    Definition: ``{"question": text, "classes": [{"name", "title", "description"?}, ...]}``, where a class may be
    written as just its name, and the whole definition as just the list of classes.  A name is 1 to 64 of the letters
    a-z and A-Z, digits and ``_ . + -``; a bare name that is none (such as "not sure") becomes the title of one
    ("not_sure").  Label: ``{"class": name}``.
    """

    kind: str = "categorical"

    def validate_schema(self, definition: Json) -> dict[str, Json]:
        """See `LabelKind.validate_schema`; always with ``question`` ("" if only a list was given) and titles."""
        if isinstance(definition, list):
            definition = {"question": "", "classes": definition}
        elif not isinstance(definition, dict):
            raise SchemaInvalid("", "is neither an object nor a list", 'send {"question": ..., "classes": [...]}')
        elif "question" not in definition:
            raise SchemaInvalid("question", "is missing", "say what the worker is asked")
        _only(definition, ("question", "classes"), "")
        question = _text(definition["question"], "question", least=0, most=QUESTION_MAX, lines=True)
        normal: dict[str, Json] = {"question": question, "classes": _classes(definition.get("classes"))}
        size = len(json.dumps(normal, ensure_ascii=False).encode())
        if size > DEFINITION_BYTES_MAX:
            raise SchemaInvalid("", f"has {size} bytes; at most {DEFINITION_BYTES_MAX} are allowed", "shorten it")
        return normal

    def validate_label(self, definition: Mapping[str, Json], label: Json) -> dict[str, Json]:
        """See `LabelKind.validate_label`."""
        example = 'send {"class": name}'
        if not isinstance(label, dict):
            raise LabelInvalid("", "is not an object", example)
        if "class" not in label:
            raise LabelInvalid("class", "is missing", example)
        if len(label) > 1:
            extra = next(key for key in label if key != "class")
            raise LabelInvalid(_shown(extra), "is not known here", f"remove it; {example}")
        name = label["class"]
        if not isinstance(name, str):
            raise LabelInvalid("class", "is not a string", example)
        names = self.classes(definition)
        if name not in names:
            choice = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
            raise LabelInvalid("class", f"{_shown(name)!r} is not a class of this job", f"choose one of: {choice}")
        return {"class": name}

    def class_index(self, definition: Mapping[str, Json], label: Mapping[str, Json]) -> int:
        """See `LabelKind.class_index`."""
        return self.classes(definition).index(cast("str", label["class"]))

    def classes(self, definition: Mapping[str, Json]) -> list[str]:
        """See `LabelKind.classes`."""
        return [entry["name"] for entry in cast("list[dict[str, str]]", definition["classes"])]

    def label_of(self, definition: Mapping[str, Json], class_index: int) -> dict[str, Json]:
        """See `LabelKind.label_of`."""
        names = self.classes(definition)
        if not 0 <= class_index < len(names):
            raise LabelInvalid("class", f"there is no class {class_index}", f"classes run from 0 to {len(names) - 1}")
        return {"class": names[class_index]}


def _classes(given: Json) -> list[Json]:
    """The classes in normal form, each once."""
    if not isinstance(given, list):
        raise SchemaInvalid("classes", "is missing" if given is None else "is not a list", "list at least two classes")
    if not 2 <= len(given) <= CLASSES_MAX:
        raise SchemaInvalid("classes", f"has {len(given)} entries", f"name 2 to {CLASSES_MAX} classes")
    normal: list[Json] = []
    places: dict[str, int] = {}
    for index, entry in enumerate(given):
        one = _class(entry, f"classes.{index}", index)
        for what in ("name", "title"):
            first = places.setdefault(f"{what}:{one[what]}", index)
            if first != index:
                raise SchemaInvalid(
                    f"classes.{index}.{what}", f"{one[what]!r} is also the {what} of class {first}", "make them differ"
                )
        normal.append(cast("Json", one))
    return normal


def _class(given: Json, path: str, index: int) -> dict[str, str]:
    if isinstance(given, str):
        title = _text(given, path, least=1, most=TITLE_MAX, lines=False).strip()
        return {"name": given if _is_name(given) else _slug(title, index), "title": title}
    if not isinstance(given, dict):
        raise SchemaInvalid(path, "is neither a name nor an object", 'send {"name": ..., "title": ...}')
    _only(given, ("name", "title", "description"), path)
    name = given.get("name")
    if not isinstance(name, str) or not _is_name(name):
        raise SchemaInvalid(
            f"{path}.name",
            "is missing" if name is None else "is not a name",
            f"use 1 to {NAME_MAX} letters a-z, digits and _ . + - (what people read goes into the title)",
        )
    normal = {"name": name, "title": name}
    if "title" in given:
        normal["title"] = _text(given["title"], f"{path}.title", least=1, most=TITLE_MAX, lines=False).strip()
    if "description" in given:
        description = _text(given["description"], f"{path}.description", least=0, most=DESCRIPTION_MAX, lines=True)
        if description:
            normal["description"] = description
    return normal


def _text(given: Json, path: str, *, least: int, most: int, lines: bool) -> str:
    if not isinstance(given, str):
        raise SchemaInvalid(path, "is not a string", "send text")
    if fault := text_fault(given, least=least, most=most, lines=lines):
        raise SchemaInvalid(path, fault, f"send {least} to {most} readable characters")
    return given


def _only(given: Mapping[str, Json], known: tuple[str, ...], path: str) -> None:
    for key in given:
        if key not in known:
            where = f"{path}.{_shown(key)}" if path else _shown(key)
            raise SchemaInvalid(where, "is not known here", f"use only {', '.join(known)}")


def _is_name(text: str) -> bool:
    return len(text) <= NAME_MAX and _NAME.fullmatch(text) is not None


def _slug(title: str, index: int) -> str:
    """A name for a title that is none: its letters and digits, or else its place."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:NAME_MAX] or f"class_{index}"


def _shown(text: str) -> str:
    """A text from outside, short and printable, for use in a message."""
    return text[:60].encode("ascii", "backslashreplace").decode()
