"""What others may ask of the line. Frozen values; nothing here changes a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tasks.labels.registry import KINDS
from tasks.models import LabelSchema


@dataclass(frozen=True, slots=True)
class Schema:
    """A label schema version. ``classes`` is empty for kinds without classes."""

    schema_id: int
    job_id: int
    version: int
    kind: str
    definition: dict[str, Any]
    classes: tuple[str, ...]


@lru_cache(maxsize=4096)
def label_schema(schema_id: int) -> Schema:
    """The schema version of that id. Versions never change (a trigger sees to it), so this one may be remembered."""
    row = LabelSchema.objects.get(pk=schema_id)
    classes = KINDS[row.kind].classes(row.definition) or []
    return Schema(row.pk, row.job_id, row.version, row.kind, row.definition, tuple(classes))
