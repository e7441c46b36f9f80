"""The manifest of a release: what it holds, how far its answers agree, and the hashes that pin it down."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from qualification.inference.agreement import krippendorff_alpha, mean_pairwise_agreement
from tasks.formats.release import DECIMALS, ReleasedTask, label_text, written_time
from tasks.formats.values import Json, canonical

GENERATOR = "touchstone"
FORMAT_VERSION = 1
"""Grows when the same rows would be written as other bytes."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of a release: its name, SHA-256 in hex, and size in bytes."""

    name: str
    sha256: str
    size: int


def facts_of(name: str, content: bytes) -> FileFacts:
    """The facts of a file with this content."""
    return FileFacts(name, hashlib.sha256(content).hexdigest(), len(content))


def content_hash(files: Iterable[FileFacts]) -> str:
    """One SHA-256 over all files: that of the lines ``sha256sum`` prints for them in the order of their names."""
    listing = "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: file.name))
    return hashlib.sha256(listing.encode()).hexdigest()


def manifest(
    rows: Iterable[ReleasedTask],
    files: Sequence[FileFacts],
    *,
    name: str,
    version: int,
    created_at: datetime,
    classes: Sequence[str] | None,
    currency: str,
    generator_version: str,
) -> bytes:
    """The manifest as canonical JSON with a line feed at its end.

    ``name`` and ``version`` are the release's, ``created_at`` when it was sealed.  ``classes`` are the names in class
    order, None for kinds without classes, which have no agreement either.  Agreement is over answers with purpose
    "label": alpha (Krippendorff, nominal) and the mean share of agreeing pairs a task, null where not measurable.
    ``counts.flags`` says how many answers are flagged, by kind; it is left out where none is.
    """
    tasks = list(rows)
    answers = [answer for task in tasks for answer in task.answers]
    flags = _counted(flag for answer in answers for flag in answer.flags)
    about: dict[str, Json] = {
        "format": FORMAT_VERSION,
        "generator": {"name": GENERATOR, "version": generator_version},
        "name": name,
        "version": version,
        "created_at": written_time(created_at),
        "currency": currency,
        "classes": None if classes is None else list(classes),
        "schema_versions": _numbers({answer.schema_version for answer in answers}),
        "guidelines_versions": _numbers({answer.guidelines_version for answer in answers}),
        "counts": {
            "tasks": len(tasks),
            "states": _counted(task.state for task in tasks),
            "labels": _counted(label_text(task.label) for task in tasks if task.label is not None),
            "answers": len(answers),
            "purposes": _counted(answer.purpose for answer in answers),
            "workers": len({answer.worker for answer in answers}),
            **({"flags": flags} if flags else {}),
        },
        "agreement": None if classes is None else _agreement(tasks),
        "files": {file.name: {"sha256": file.sha256, "size": file.size} for file in files},
        "content_hash": content_hash(files),
    }
    return canonical(about) + b"\n"


def _agreement(tasks: Sequence[ReleasedTask]) -> dict[str, Json]:
    """Alpha and mean pairwise agreement of the crowd's answers."""
    pairs = [
        (place, label_text(answer.label))
        for place, task in enumerate(tasks)
        for answer in task.answers
        if answer.purpose == "label"
    ]
    columns = {label: column for column, label in enumerate(sorted({label for _, label in pairs}))}
    counts = np.zeros((len(tasks), max(1, len(columns))))
    for place, label in pairs:
        counts[place, columns[label]] += 1
    return {"alpha": _measured(krippendorff_alpha(counts)), "mean_pairwise": _measured(mean_pairwise_agreement(counts))}


def _measured(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS) + 0.0


def _numbers(numbers: Iterable[int]) -> list[Json]:
    return [*sorted(numbers)]


def _counted(names: Iterable[str]) -> dict[str, Json]:
    return dict(Counter(names))
