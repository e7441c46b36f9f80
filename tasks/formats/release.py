"""Writing a release: the same rows give the same bytes, in whatever order they come.

JSON lines hold everything and can be read back; the two CSV files (tasks, answers) are for spreadsheets. Which answers
are flagged stands in the JSON lines, and how many in the manifest.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tasks.formats.csv import neutral
from tasks.formats.values import Json, canonical

DECIMALS = 6
"""Decimals of a probability: as many as a four-byte float can hold."""

TASK_COLUMNS = (
    "task",
    "external_ref",
    "stratum",
    "state",
    "reason",
    "label",
    "confidence",
    "calibrated",
    "answers",
    "distribution",
    "payload",
)
ANSWER_COLUMNS = (
    "task",
    "worker",
    "label",
    "submitted_at",
    "purpose",
    "state",
    "schema_version",
    "guidelines_version",
    "paid",
)


@dataclass(frozen=True, slots=True)
class ReleasedAnswer:
    """One answer as it is released.

    ``worker`` is the pseudonym; ``state`` says whether it was used (accepted, settled, set_aside, ...); ``paid`` is a
    decimal string in the release's currency, "" where nothing is paid; ``submitted_at`` must be aware.
    ``flags`` are the doubts that stood when it was sealed, such as credential_revoked.
    """

    worker: str
    label: Json
    submitted_at: datetime
    purpose: str
    state: str
    schema_version: int
    guidelines_version: int
    paid: str
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReleasedTask:
    """One task as it is released: what was asked, what is believed, and every answer.

    ``label`` is None where none stands.  ``distribution`` maps class name to belief, None for kinds without classes;
    ``confidence`` is the belief in the label, ``calibrated`` says whether it was fitted on gold.  ``reason`` says why
    a contested task is contested.
    """

    task: str
    external_ref: str | None
    stratum: str
    payload: Mapping[str, Json]
    state: str
    reason: str
    label: Json
    distribution: Mapping[str, float] | None
    confidence: float | None
    calibrated: bool
    answers: Sequence[ReleasedAnswer]


def write_jsonl(rows: Iterable[ReleasedTask]) -> bytes:
    """One canonical JSON object a task, sorted by task; raises ValueError when two rows are of one task."""
    return b"".join(canonical(_record(row)) + b"\n" for row in _ordered(rows))


def write_csv(rows: Iterable[ReleasedTask]) -> bytes:
    """The tasks for a spreadsheet, one a row; labels of one class are written as its name, other values as JSON."""
    return _table(TASK_COLUMNS, (_task_cells(row) for row in _ordered(rows)))


def write_answers_csv(rows: Iterable[ReleasedTask]) -> bytes:
    """The answers for a spreadsheet, one a row, sorted by task and time."""
    return _table(
        ANSWER_COLUMNS, (_answer_cells(row.task, answer) for row in _ordered(rows) for answer in _in_time(row.answers))
    )


def read_release(data: bytes) -> list[ReleasedTask]:
    """The rows that `write_jsonl` wrote.  For checking our own releases; files of strangers go through `read_jsonl`."""
    return [_row(json.loads(line)) for line in data.splitlines()]


def written_time(at: datetime) -> str:
    """A time as releases write it: UTC, microseconds, Z; raises ValueError when ``at`` has no zone."""
    if at.tzinfo is None:
        raise ValueError("a time in a release has a time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def label_text(label: Json) -> str:
    """A label as one cell: the class name, "" for none, anything else as canonical JSON."""
    if label is None:
        return ""
    if isinstance(label, dict) and label.keys() == {"class"} and isinstance(name := label["class"], str):
        return name
    return canonical(label).decode()


def _ordered(rows: Iterable[ReleasedTask]) -> list[ReleasedTask]:
    ordered = sorted(rows, key=lambda row: row.task)
    for one, next_one in pairwise(ordered):
        if one.task == next_one.task:
            raise ValueError(f"task {one.task} is in the release twice")
    return ordered


def _in_time(answers: Iterable[ReleasedAnswer]) -> list[ReleasedAnswer]:
    return sorted(answers, key=_place)


def _place(answer: ReleasedAnswer) -> tuple[str | int, ...]:
    """Where an answer stands among those of its task: by time, and by everything else that is written of it."""
    versions = (answer.schema_version, answer.guidelines_version)
    rest = (
        answer.purpose,
        answer.state,
        *versions,
        answer.paid,
        label_text(answer.label),
        ",".join(sorted(answer.flags)),
    )
    return (written_time(answer.submitted_at), answer.worker, *rest)


def _record(row: ReleasedTask) -> dict[str, Json]:
    return {
        "task": row.task,
        "external_ref": row.external_ref,
        "stratum": row.stratum,
        "payload": dict(row.payload),
        "state": row.state,
        "reason": row.reason,
        "label": row.label,
        "distribution": _distribution(row),
        "confidence": None if row.confidence is None else _rounded(row.confidence),
        "calibrated": row.calibrated,
        "answers": [_answer(answer) for answer in _in_time(row.answers)],
    }


def _distribution(row: ReleasedTask) -> Json:
    if row.distribution is None:
        return None
    return {name: _rounded(belief) for name, belief in row.distribution.items()}


def _answer(answer: ReleasedAnswer) -> dict[str, Json]:
    record: dict[str, Json] = {
        "worker": answer.worker,
        "label": answer.label,
        "submitted_at": written_time(answer.submitted_at),
        "purpose": answer.purpose,
        "state": answer.state,
        "schema_version": answer.schema_version,
        "guidelines_version": answer.guidelines_version,
        "paid": answer.paid,
    }
    # Only where there are any, so that answers nobody doubts keep the bytes they always had.
    return record | ({"flags": [*sorted(answer.flags)]} if answer.flags else {})


def _row(record: Any) -> ReleasedTask:
    answers = tuple(
        ReleasedAnswer(
            **{
                **answer,
                "submitted_at": datetime.fromisoformat(answer["submitted_at"]),
                "flags": tuple(answer.get("flags", ())),
            }
        )
        for answer in record["answers"]
    )
    return ReleasedTask(**{**record, "answers": answers})


def _rounded(belief: float) -> float:
    return round(float(belief), DECIMALS) + 0.0


def _task_cells(row: ReleasedTask) -> list[str]:
    return [
        row.task,
        row.external_ref or "",
        row.stratum,
        row.state,
        row.reason,
        label_text(row.label),
        "" if row.confidence is None else f"{row.confidence:.{DECIMALS}f}",
        "true" if row.calibrated else "false",
        str(len(row.answers)),
        "" if row.distribution is None else canonical(_distribution(row)).decode(),
        canonical(dict(row.payload)).decode(),
    ]


def _answer_cells(task: str, answer: ReleasedAnswer) -> list[str]:
    return [
        task,
        answer.worker,
        label_text(answer.label),
        written_time(answer.submitted_at),
        answer.purpose,
        answer.state,
        str(answer.schema_version),
        str(answer.guidelines_version),
        answer.paid,
    ]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """CSV with every cell in quotes, since versions of Python differ in which they quote by themselves."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
