"""The columns of a file, checked alike for every format."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.formats.faults import RowError, shown
from tasks.formats.values import name_fault

COLUMNS_MAX = 200


def check_columns(row: int, names: Sequence[str], required: Sequence[str], narrower: str) -> None:
    """Raise RowError unless there are at most `COLUMNS_MAX` columns, well named, none twice, and every required one."""
    if len(names) > COLUMNS_MAX:
        raise RowError(row, None, f"has {len(names)} columns; at most {COLUMNS_MAX} are allowed", narrower)
    seen: set[str] = set()
    for place, name in enumerate(names, start=1):
        if fault := name_fault(name):
            raise RowError(row, name, f"column {place} {fault}", "give it a short name")
        if name in seen:
            raise RowError(row, name, f"the column {shown(name)} is there twice", "rename or remove one of them")
        seen.add(name)
    for name in required:
        if name not in seen:
            found = ", ".join(shown(one) for one in names[:10])
            raise RowError(row, name, "the column is missing", f"add it; found only {found or 'none'}")
