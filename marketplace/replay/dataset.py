"""Reading a folder of recorded answers: ``dataset.json``, ``answers.csv.gz``, ``truth.csv.gz``, perhaps ``items.csv.gz``.

Pure: nothing here knows a database. Only kinds whose labels are one class out of a list can be replayed so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.formats.csv import read_csv
from tasks.formats.faults import RowError
from tasks.formats.rows import TaskRow, parse_row
from tasks.formats.values import Json
from tasks.labels.categorical import Categorical
from tasks.labels.faults import SchemaInvalid

CLASS_KINDS = ("categorical", "ordinal", "options", "pairwise")
"""Kinds of data set that are replayed as categorical jobs, where ``classes`` lists their labels."""

EXPERT = "expert"
QUESTION = "Which label did you give?"
_CHUNK = 256 * 1024


class DatasetInvalid(ValueError):
    """The folder cannot be replayed; the message says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded answer: who said of which item that it is which class."""

    item: str
    worker: str
    class_index: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as it can be replayed.

    ``definition`` is a categorical label definition in its normal form, whose classes are in the order of
    ``dataset.json``. ``answers`` hold a worker's first answer to an item; ``skipped`` counts answers whose label is no
    class, ``repeated`` a worker's further answers to an item, ``expert_answers`` those of the group ``expert``, who are
    no crowd. ``truth`` maps an item to its class; ``rows`` an item to the task it becomes. Only items that somebody
    answered are there.
    """

    name: str
    kind: str
    definition: dict[str, Any]
    answers: tuple[Recorded, ...]
    truth: Mapping[str, int]
    rows: Mapping[str, TaskRow]
    skipped: int
    repeated: int
    expert_answers: int

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.definition["classes"])

    def label(self, class_index: int) -> dict[str, Any]:
        """The label of a class, as a worker submits it."""
        return {"class": self.definition["classes"][class_index]["name"]}


def read_dataset(folder: Path) -> Dataset:
    """Read a data set; raises DatasetInvalid."""
    if not folder.is_dir():
        raise DatasetInvalid(f"{folder} is not a folder.")
    name, kind, labels = _read_description(folder)
    places = {label: place for place, label in enumerate(labels)}
    answers, skipped, repeated, experts = _read_answers(folder, places)
    items = sorted({answer.item for answer in answers})
    return Dataset(
        name=name,
        kind=kind,
        definition=_definition(folder, labels),
        answers=answers,
        truth=_read_truth(folder, places, set(items)),
        rows=_task_rows(folder, items),
        skipped=skipped,
        repeated=repeated,
        expert_answers=experts,
    )


def _read_description(folder: Path) -> tuple[str, str, list[str]]:
    file = folder / "dataset.json"
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DatasetInvalid(f"{file} is missing; it says at least kind and classes.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetInvalid(f"{file} is not JSON that can be read: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("kind"), str):
        raise DatasetInvalid(f"{file} says no kind; send an object with kind and classes.")
    kind, classes = said["kind"], said.get("classes")
    if kind not in CLASS_KINDS or (kind == "pairwise" and not classes):
        kinds = ", ".join(CLASS_KINDS)
        raise DatasetInvalid(
            f"{folder.name} is of kind {ascii(kind)[:40]}, which cannot be replayed yet; so far: {kinds}, with a list of classes."
        )
    if not isinstance(classes, list) or not all(isinstance(one, str | int) for one in classes):
        raise DatasetInvalid(f"{file} has no list of classes; a {kind} set names them under classes.")
    name = said.get("name")
    return name if isinstance(name, str) and name else folder.name, kind, [str(one) for one in classes]


def _definition(folder: Path, labels: list[str]) -> dict[str, Any]:
    """The labels as a job's classes. Where one of them cannot name a class, all are numbered and keep their titles."""
    kind = Categorical()
    named: list[Json] = [{"name": label} for label in labels]
    numbered: list[Json] = [{"name": f"class_{place}", "title": label} for place, label in enumerate(labels)]
    fault = ""
    for classes in (named, numbered):
        try:
            return kind.validate_schema({"question": QUESTION, "classes": classes})
        except SchemaInvalid as invalid:
            fault = f"{invalid.path} {invalid.reason}; {invalid.remedy}"
    raise DatasetInvalid(f"{folder / 'dataset.json'}: {fault}.")


def _read_answers(folder: Path, places: Mapping[str, int]) -> tuple[tuple[Recorded, ...], int, int, int]:
    """The crowd's answers, and how many others there are: with unknown labels, repeated, and by experts."""
    found: dict[tuple[str, str], Recorded] = {}
    skipped = repeated = experts = 0
    for number, row in _rows(folder / "answers.csv.gz", ("item_id", "worker_id", "label")):
        item, worker, label = row["item_id"], row["worker_id"], row["label"]
        if not item or not worker:
            raise DatasetInvalid(f"{folder / 'answers.csv.gz'}: row {number} has no item_id or no worker_id.")
        if row.get("worker_group") == EXPERT:
            experts += 1
        elif label not in places:
            skipped += 1
        elif (item, worker) in found:
            repeated += 1
        else:
            found[item, worker] = Recorded(item, worker, places[label])
    if not found:
        raise DatasetInvalid(f"{folder / 'answers.csv.gz'} holds no crowd answer whose label is one of the classes.")
    return tuple(found.values()), skipped, repeated, experts


def _read_truth(folder: Path, places: Mapping[str, int], items: set[str]) -> dict[str, int]:
    truth: dict[str, int] = {}
    for _, row in _rows(folder / "truth.csv.gz", ("item_id", "label")):
        if row["label"] in places and row["item_id"] in items:
            truth.setdefault(row["item_id"], places[row["label"]])
    return truth


def _task_rows(folder: Path, items: list[str]) -> dict[str, TaskRow]:
    """Each item as a task: its id, and what ``items.csv.gz`` says of it, where that file names items by their id."""
    content: dict[str, dict[str, Any]] = {item: {} for item in items}
    file = folder / "items.csv.gz"
    if file.exists():
        for _, row in _rows(file, ()):
            if row.get("item_id") in content:
                content[row["item_id"]] = {name: cell for name, cell in row.items() if name != "item_id" and cell}
    rows = {}
    for number, (item, shown) in enumerate(content.items(), start=1):
        try:
            rows[item] = parse_row(number, {"payload": {**shown, "item": item}})
        except RowError as error:
            raise DatasetInvalid(f"{file}: item {ascii(item)[:60]}: {error.message}; {error.remedy}.") from None
    return rows


def _rows(file: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with file.open("rb") as stream:
            yield from read_csv(iter(lambda: stream.read(_CHUNK), b""), required=required)
    except OSError as error:
        raise DatasetInvalid(f"{file} cannot be read: {error.strerror}.") from None
    except RowError as error:
        raise DatasetInvalid(f"{file}: {error}.") from None
