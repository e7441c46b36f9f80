"""References from hot tables to rows that are never removed."""

from typing import Any

from django.db import models


class Link(models.ForeignKey[Any, Any]):
    """A foreign key that the database does not check at every insert, and that has no index of its own.

    Checking would take a KEY SHARE lock on the job's and the worker's row for each claim and each answer, so that
    every claim of a job would write to one hot row. The referenced rows cannot be removed (a trigger refuses
    DELETE on each of them), and ``manage.py verify`` looks for orphans.
    """

    def __init__(self, to: Any, **options: Any) -> None:
        fixed = {"on_delete": models.PROTECT, "related_name": "+", "db_index": False, "db_constraint": False}
        super().__init__(to, **{**options, **fixed})
